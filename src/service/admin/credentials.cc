#include "service/admin/credentials.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace sternpost {

Result<Credentials> Credentials::of_peer(int socket) {
  ucred ids{};
  socklen_t size = sizeof(ids);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &ids, &size) != 0)
    return fail_errno("asking who connected");
  Credentials credentials{.uid = ids.uid, .gid = ids.gid, .groups = {}};
  size = 0;
  // ERANGE tells the size, and a second call with it cannot fail that way: the groups are those of the past.
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, nullptr, &size) == 0) return credentials;
  if (errno != ERANGE) return fail_errno("asking for the groups of who connected");
  credentials.groups.resize(size / sizeof(gid_t));
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, credentials.groups.data(), &size) != 0) {
    return fail_errno("asking for the groups of who connected");
  }
  return credentials;
}

bool may_command(const Credentials& peer, uid_t starter, std::optional<gid_t> group) {
  if (peer.uid == 0 || peer.uid == starter) return true;
  if (!group) return false;
  return peer.gid == *group || std::ranges::find(peer.groups, *group) != peer.groups.end();
}

}  // namespace sternpost
