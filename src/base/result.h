// Errors as values: every fallible function across a module border returns Result<T>.
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sternpost {

/// What the caller should do about a failure, which is all that a caller may branch on.
enum class ErrorClass : unsigned char {
  temporary,  ///< try again later: the disk is full, a peer is away, a limit is reached
  permanent,  ///< trying again changes nothing: the input is wrong
  peer,       ///< the other side broke the protocol: close its channel and record it
  internal,   ///< a bug or a broken installation: stop and say so
};

/// A failure: its class, the errno it came from (0 if none) and a sentence that names what and where.
struct Error {
  ErrorClass what_to_do = ErrorClass::internal;
  int errno_value = 0;
  std::string text;

  /// The same failure, with `context` and a colon before the text; use it on the way up.
  [[nodiscard]] Error within(std::string_view context) && {
    text.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

template <class T>
using Result = std::expected<T, Error>;

/// A failed Result in one word: `return fail(ErrorClass::permanent, "no such domain")`.
inline std::unexpected<Error> fail(ErrorClass what_to_do, std::string text, int errno_value = 0) {
  return std::unexpected(Error{what_to_do, errno_value, std::move(text)});
}

/// A failed system call, classed by its errno: what `errno_value` says, after "what: ".
/// Lack of space, descriptors or memory and I/O errors are temporary; the rest is internal.
std::unexpected<Error> fail_errno(std::string_view what, int errno_value = errno);

/// Hands a failure on with its type changed: `if (!r) return fail_with(std::move(r), "opening the log")`.
template <class T>
std::unexpected<Error> fail_with(Result<T>&& failed, std::string_view context) {
  return std::unexpected(std::move(failed.error()).within(context));
}

template <class T>
std::unexpected<Error> fail_with(Result<T>&& failed) {
  return std::unexpected(std::move(failed.error()));
}

}  // namespace sternpost
