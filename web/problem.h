#pragma once

#include <string>
#include <string_view>

#include "stream/error.h"
#include "web/request.h"

namespace freshet {

/// An error as problem details for people and programs (RFC 9457, application/problem+json):
/// {"type", "title", "status", "detail"}.
Response problem(int status, std::string_view detail);

/// The same with Retry-After: the client should come again.
Response problem_try_again(int status, int after_seconds, std::string_view detail);

/// The one place where the kind of an error becomes a status: invalid 400, not_found 404,
/// conflict 409, corrupt 500, unavailable 503 (Retry-After: 1).
Response problem(const Error& error);

/// "Not Found" for 404.
std::string_view status_title(int status);

/// `text` for a log line: control characters and what is not ASCII as \xNN.
std::string escaped_for_log(std::string_view text);

}  // namespace freshet
