// The C ABI over simdjson: one call reads one detection. The C++ library throws nothing across it, keeps
// nothing of the caller's bytes, and knows the five field names of a detection, because walking the parsed
// object from Swift, key by key, would cost more calls than the parse itself.
#ifndef TOPITEMS_CSIMDJSON_H
#define TOPITEMS_CSIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define TOPITEMS_NOEXCEPT noexcept
extern "C" {
#else
#define TOPITEMS_NOEXCEPT
#endif

/// Closed, so that a Swift switch over it must be exhaustive.
#define TOPITEMS_CLOSED_ENUM __attribute__((enum_extensibility(closed)))

typedef enum TOPITEMS_CLOSED_ENUM {
  topitems_json_ok = 0,
  topitems_json_empty,
  topitems_json_syntax,
  topitems_json_utf8,
  topitems_json_depth,
  /// A number token that is malformed, or that no 64-bit type holds: simdjson 3.0.1 has one error for both.
  topitems_json_number,
  /// A bad escape or a lone surrogate: simdjson has one error for both.
  topitems_json_string,
  topitems_json_not_an_object,
  topitems_json_duplicate_key,
  topitems_json_missing_field,
  topitems_json_wrong_type,
  topitems_json_out_of_range,
  topitems_json_out_of_memory,
} topitems_json_status;

typedef enum TOPITEMS_CLOSED_ENUM {
  topitems_field_location_oid = 0,
  topitems_field_camera_oid,
  topitems_field_detection_oid,
  topitems_field_item_name,
  topitems_field_timestamp_detected,
} topitems_field;

/// One detection. The two texts point into the parser's string buffer: unescaped UTF-8, not terminated,
/// possibly with U+0000 inside, valid until the next parse.
typedef struct {
  int64_t location_oid;
  int64_t camera_oid;
  int64_t detection_oid;
  /// The number, if timestamp_text is NULL.
  int64_t timestamp;
  const uint8_t *timestamp_text;
  size_t timestamp_text_length;
  const uint8_t *item_name;
  size_t item_name_length;
  /// Meaningful for duplicate_key, missing_field, wrong_type and out_of_range.
  topitems_field field;
} topitems_detection;

typedef struct topitems_json_parser topitems_json_parser;

/// A parser for documents of at most maximum_bytes and maximum_depth nested arrays and objects; NULL if
/// memory is short.
topitems_json_parser *topitems_json_parser_create(size_t maximum_bytes, size_t maximum_depth) TOPITEMS_NOEXCEPT;

void topitems_json_parser_free(topitems_json_parser *parser) TOPITEMS_NOEXCEPT;

/// Copies the bytes and reads them. `length` must not exceed maximum_bytes (the caller has checked).
/// `detection` is meaningful only as far as the result says so.
topitems_json_status topitems_json_parse(
    topitems_json_parser *parser, const void *bytes, size_t length, topitems_detection *detection)
    TOPITEMS_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
