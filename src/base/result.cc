#include "base/result.h"

#include <cstring>

namespace sternpost {

std::unexpected<Error> fail_errno(std::string_view what, int errno_value) {
  auto text = std::string(what) + ": " + ::strerrordesc_np(errno_value);
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EROFS:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
    case EINTR:
      return fail(ErrorClass::temporary, std::move(text), errno_value);
    default:
      return fail(ErrorClass::internal, std::move(text), errno_value);
  }
}

}  // namespace sternpost
