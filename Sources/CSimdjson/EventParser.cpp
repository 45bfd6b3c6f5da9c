// Written against simdjson's DOM, which validates the whole document (grammar, UTF-8, escapes, depth), also
// the values that are not used. Works with simdjson 3.0.1 and later.
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "CSimdjson.h"

namespace dom = simdjson::dom;

struct topitems_json_parser {
  dom::parser parser;
  dom::document document;
  std::unique_ptr<char[]> buffer;
  size_t capacity = 0;
  size_t maximum_bytes;
  size_t maximum_depth;

  topitems_json_parser(size_t bytes, size_t depth) : maximum_bytes(bytes), maximum_depth(depth) {}

  // simdjson grows to exactly the length asked for; growing geometrically spares a run of slowly growing
  // messages an allocation each.
  bool reserve(size_t length) noexcept {
    if (length <= capacity) { return true; }
    size_t wanted = std::min(maximum_bytes, std::max({length, 2 * capacity, size_t(4096)}));
    wanted = std::max(wanted, length);
    std::unique_ptr<char[]> larger(new (std::nothrow) char[wanted + simdjson::SIMDJSON_PADDING]);
    if (!larger || document.allocate(wanted) || parser.allocate(wanted, maximum_depth)) { return false; }
    buffer = std::move(larger);
    capacity = wanted;
    return true;
  }
};

namespace {

topitems_json_status status_of(simdjson::error_code error) noexcept {
  switch (error) {
    case simdjson::EMPTY: return topitems_json_empty;
    case simdjson::UTF8_ERROR: return topitems_json_utf8;
    case simdjson::DEPTH_ERROR: return topitems_json_depth;
    case simdjson::STRING_ERROR: return topitems_json_string;
    case simdjson::MEMALLOC: return topitems_json_out_of_memory;
    case simdjson::TAPE_ERROR:
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
    case simdjson::UNCLOSED_STRING:
    case simdjson::UNESCAPED_CHARS:
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT: return topitems_json_syntax;
    // NUMBER_ERROR, and what later versions call BIGINT_ERROR, a name that 3.0.1 does not know.
    default: return topitems_json_number;
  }
}

topitems_json_status read_integer(dom::element value, int64_t &integer) noexcept {
  switch (value.get(integer)) {
    case simdjson::SUCCESS: return topitems_json_ok;
    case simdjson::NUMBER_OUT_OF_RANGE: return topitems_json_out_of_range;
    default: return topitems_json_wrong_type;
  }
}

topitems_json_status read_text(dom::element value, const uint8_t *&text, size_t &length) noexcept {
  std::string_view view;
  if (value.get(view)) { return topitems_json_wrong_type; }
  text = reinterpret_cast<const uint8_t *>(view.data());
  length = view.size();
  return topitems_json_ok;
}

// The five names differ in length, so one comparison decides.
bool field_named(std::string_view key, topitems_field &field) noexcept {
  switch (key.size()) {
    case 25: field = topitems_field_location_oid; return key == "geographical_location_oid";
    case 16: field = topitems_field_camera_oid; return key == "video_camera_oid";
    case 13: field = topitems_field_detection_oid; return key == "detection_oid";
    case 9: field = topitems_field_item_name; return key == "item_name";
    case 18: field = topitems_field_timestamp_detected; return key == "timestamp_detected";
    default: return false;
  }
}

topitems_json_status read_field(dom::element value, topitems_detection &detection) noexcept {
  switch (detection.field) {
    case topitems_field_location_oid: return read_integer(value, detection.location_oid);
    case topitems_field_camera_oid: return read_integer(value, detection.camera_oid);
    case topitems_field_detection_oid: return read_integer(value, detection.detection_oid);
    case topitems_field_item_name:
      return read_text(value, detection.item_name, detection.item_name_length);
    case topitems_field_timestamp_detected:
      detection.timestamp_text = nullptr;
      return value.is_string()
          ? read_text(value, detection.timestamp_text, detection.timestamp_text_length)
          : read_integer(value, detection.timestamp);
  }
  return topitems_json_wrong_type;
}

}  // namespace

extern "C" topitems_json_parser *topitems_json_parser_create(
    size_t maximum_bytes, size_t maximum_depth) TOPITEMS_NOEXCEPT {
  return new (std::nothrow) topitems_json_parser(maximum_bytes, maximum_depth);
}

extern "C" void topitems_json_parser_free(topitems_json_parser *parser) TOPITEMS_NOEXCEPT { delete parser; }

extern "C" topitems_json_status topitems_json_parse(
    topitems_json_parser *parser, const void *bytes, size_t length,
    topitems_detection *detection) TOPITEMS_NOEXCEPT {
  if (length == 0) { return topitems_json_empty; }
  // Later versions of simdjson skip a byte order mark, 3.0.1 refuses it. RFC 8259 §8.1 lets us choose; an
  // upgrade of a library must not change what counts as an event.
  if (length >= 3 && std::memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) { return topitems_json_syntax; }
  if (!parser->reserve(length)) { return topitems_json_out_of_memory; }
  char *buffer = parser->buffer.get();
  std::memcpy(buffer, bytes, length);
  std::memset(buffer + length, 0, simdjson::SIMDJSON_PADDING);

  dom::element root;
  auto error = parser->parser.parse_into_document(parser->document, buffer, length, false).get(root);
  if (error) { return status_of(error); }
  dom::object object;
  if (root.get(object)) { return topitems_json_not_an_object; }

  unsigned seen = 0;
  for (dom::key_value_pair member : object) {
    if (!field_named(member.key, detection->field)) { continue; }
    unsigned bit = 1u << detection->field;
    if (seen & bit) { return topitems_json_duplicate_key; }
    seen |= bit;
    topitems_json_status status = read_field(member.value, *detection);
    if (status != topitems_json_ok) { return status; }
  }
  constexpr unsigned every = (1u << (topitems_field_timestamp_detected + 1)) - 1;
  if (seen != every) {
    detection->field = static_cast<topitems_field>(__builtin_ctz(~seen));
    return topitems_json_missing_field;
  }
  return topitems_json_ok;
}
