#include "delivery/deferral.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace sternpost::delivery {

mail::Reply deferral(Errno error, std::string_view what) {
  switch (error.value) {
    case ENOSPC:
      return {452, {4, 3, 1}, fmt::format("{}: the mail disk is full", what)};
    case EDQUOT:
      return {452, {4, 2, 2}, fmt::format("{}: the quota is used up", what)};
    case ELOOP:
    case ENOTDIR:
      return {451, {4, 3, 0}, fmt::format("{}: a symbolic link or a file is where a folder should be", what)};
    case EACCES:
    case EPERM:
      return {451, {4, 3, 0}, fmt::format("{}: the owner of the mail folder has no permission", what)};
    default:
      return {451, {4, 3, 0}, fmt::format("{}: {}", what, ::strerrordesc_np(error.value))};
  }
}

}  // namespace sternpost::delivery
