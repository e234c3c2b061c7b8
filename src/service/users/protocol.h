// Channel between router and users: does the system know this user?
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"

namespace sternpost::users {

inline constexpr std::size_t kMaxFrame = 64 * 1024;

/// `name` is at most 64 octets.
struct Lookup {
  std::uint64_t request = 0;
  std::string name;
  static constexpr auto fields() { return std::tuple(&Lookup::request, &Lookup::name); }
};

using ToUsers = std::variant<Lookup>;

enum class Answer : unsigned char { found, unknown, unavailable };

struct Found {
  std::uint64_t request = 0;
  Answer answer = Answer::unavailable;
  std::uint32_t uid = 0;
  std::vector<std::uint32_t> gids;  ///< the primary one first; at most 64
  std::string home;
  static constexpr auto fields() {
    return std::tuple(&Found::request, &Found::answer, &Found::uid, &Found::gids, &Found::home);
  }
};

using FromUsers = std::variant<Found>;

}  // namespace sternpost::users

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<users::Answer> = 3;
}
