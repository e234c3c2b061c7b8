// Who may command the instance: the credentials of the two ends of the control socket, by the kernel's word.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "base/result.h"

namespace sternpost {

struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary ones

  /// Of the process that connected `socket`, when it did; of a listening socket, of the one that listened.
  static Result<Credentials> of_peer(int socket);
};

/// Root, `starter`, who started the instance, and the members of `group` where there is one.
bool may_command(const Credentials& peer, uid_t starter, std::optional<gid_t> group);

}  // namespace sternpost
