#pragma once
#include <librdkafka/rdkafka.h>
// The mock cluster: for tests of what a broker can do to a consumer.
#include <librdkafka/rdkafka_mock.h>
