// Questions to the system's user database, through NSS.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "service/users/protocol.h"

namespace sternpost::users {

/// The most groups of a user that are answered; further ones are left out.
inline constexpr std::size_t kMaxGroups = 64;

/// 1 to 64 octets of letters, digits, '-', '_' and '.', beginning with none of '-' and '.'.
bool is_safe_name(std::string_view name);

/// What the system knows of `name`. Unknown: no such user, a name that is not safe, a uid below `first_uid`
/// or 0. A database that cannot be asked is `unavailable`. Blocking.
Found look_up(std::string_view name, std::uint32_t first_uid, std::uint64_t request);

/// Makes NSS load its modules and open its files while the process still can. That the names looked up here
/// are unknown does not matter; a database that fails does not either, for it may be there later.
Result<void> warm_up();

}  // namespace sternpost::users
