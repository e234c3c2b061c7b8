// Questions to the system's user database, through NSS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "service/users/protocol.h"

namespace sternpost::users {

/// The most groups of a user that are answered; further ones are left out.
inline constexpr std::size_t kMaxGroups = 64;

/// 1 to 64 octets of letters, digits, '-', '_' and '.', beginning with none of '-' and '.'.
bool is_safe_name(std::string_view name);

/// What it means that getpwnam_r(3) ended with `error` and without an entry. glibc answers 0 where the last
/// source says that there is no such user, and the source's errno where it could not be asked: ENOENT and
/// EPERM, which other systems take for "no such user", are those of a directory whose socket is out of reach.
Answer answer_without_entry(int error);

/// The sources of a line of nsswitch.conf(5) that names `database`, without "systemd": its users are those of
/// running units and of systemd-homed, who have no mailbox, and its sockets are out of reach of the
/// confinement, so that every user unknown elsewhere would be `unavailable`. Nothing for another line and
/// where there is nothing to leave out or nothing left.
std::optional<std::string> sources_without_systemd(std::string_view line, std::string_view database);

/// What the system knows of `name`. Unknown: no such user, a name that is not safe, a uid below `first_uid`,
/// 0, or 65534, which is nobody's. A database that cannot be asked is `unavailable`. Blocking.
Found look_up(std::string_view name, std::uint32_t first_uid, std::uint64_t request);

/// Chooses the sources, and makes NSS load its modules and open its files while the process still can; both
/// happen once for the life of the process. That the names looked up here
/// are unknown does not matter; a database that fails does not either, for it may be there later.
Result<void> warm_up();

}  // namespace sternpost::users
