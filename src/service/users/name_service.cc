#include "service/users/name_service.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace sternpost::users {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kFirstBuffer = 4096;
constexpr std::size_t kMaxBuffer = 1024 * 1024;

struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

/// `user` is filled only where the answer is found.
Answer find_user(const std::string& name, User& user) {
  std::vector<char> buffer(kFirstBuffer);
  while (true) {
    passwd entry{};
    passwd* found = nullptr;
    const int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) {
      user = {entry.pw_uid, entry.pw_gid, entry.pw_dir != nullptr ? entry.pw_dir : ""};
      return Answer::found;
    }
    if (error == ERANGE && buffer.size() < kMaxBuffer) {
      buffer.resize(buffer.size() * 4);
      continue;
    }
    if (error == EINTR) continue;
    // getpwnam(3): these mean that there is no such user; which of them it is depends on the module.
    if (error == 0 || error == ENOENT || error == ESRCH || error == EPERM || error == EBADF)
      return Answer::unknown;
    return Answer::unavailable;
  }
}

std::vector<std::uint32_t> groups_of(const std::string& name, std::uint32_t primary) {
  std::vector<gid_t> all(kMaxGroups);
  int count = static_cast<int>(all.size());
  if (::getgrouplist(name.c_str(), primary, all.data(), &count) >= 0)
    all.resize(static_cast<std::size_t>(count));
  std::vector<std::uint32_t> groups{primary};
  for (const auto group : all) {
    if (group != primary && groups.size() < kMaxGroups) groups.push_back(group);
  }
  return groups;
}

}  // namespace

bool is_safe_name(std::string_view name) {
  auto is_safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= kMaxName && name.front() != '-' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), is_safe);
}

Found look_up(std::string_view name, std::uint32_t first_uid, std::uint64_t request) {
  Found answer{.request = request, .answer = Answer::unknown, .uid = 0, .gids = {}, .home = {}};
  if (!is_safe_name(name)) return answer;
  const std::string terminated(name);
  User user;
  answer.answer = find_user(terminated, user);
  if (answer.answer != Answer::found) return answer;
  if (user.uid == 0 || user.uid < first_uid) {
    answer.answer = Answer::unknown;
    return answer;
  }
  answer.uid = user.uid;
  answer.gids = groups_of(terminated, user.gid);
  answer.home = std::move(user.home);
  return answer;
}

Result<void> warm_up() {
  for (const auto* name : {"root", "nobody"}) {
    User user;
    if (find_user(name, user) == Answer::found) (void)groups_of(name, user.gid);
  }
  return {};
}

}  // namespace sternpost::users
