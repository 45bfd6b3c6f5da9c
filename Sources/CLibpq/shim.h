#pragma once
// libpq's C API needs no shim: every function that the Postgres module calls is a real function, and its
// enumerations import as they are.
#include <libpq-fe.h>
