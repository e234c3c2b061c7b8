#include "service/users/name_service.h"

#include <grp.h>
#include <nss.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

namespace sternpost::users {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kFirstBuffer = 4096;
constexpr std::size_t kMaxBuffer = 1024 * 1024;
/// "nobody" on every Linux system: the owner of what has no owner here, and nobody's mailbox.
constexpr std::uint32_t kOverflowUid = 65'534;
constexpr const char* kSourcesFile = "/etc/nsswitch.conf";
constexpr std::string_view kBlanks = " \t";

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
    return answer_without_entry(error);
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

/// The first word of `text`, a bracketed action being one; takes it off.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const auto bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  const auto end = bracket == std::string_view::npos ? text.find_first_of(" \t[", 1) : bracket + 1;
  const auto word = text.substr(0, end);
  text.remove_prefix(word.size());
  return word;
}

/// Leaves out of NSS what cannot answer from within the confinement.
void choose_sources() {
  std::ifstream file(kSourcesFile);
  for (std::string line; std::getline(file, line);) {
    for (const auto* database : {"passwd", "group", "initgroups"}) {
      if (const auto sources = sources_without_systemd(line, database)) {
        (void)::__nss_configure_lookup(database, sources->c_str());
      }
    }
  }
}

}  // namespace

Answer answer_without_entry(int error) {
  return error == 0 ? Answer::unknown : Answer::unavailable;
}

std::optional<std::string> sources_without_systemd(std::string_view line, std::string_view database) {
  line = line.substr(0, line.find('#'));
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  if (!line.starts_with(database)) return std::nullopt;
  line.remove_prefix(database.size());
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  if (!line.starts_with(':')) return std::nullopt;
  line.remove_prefix(1);
  std::string kept;
  bool found = false, left_out = false;
  while (true) {
    const auto word = take_word(line);
    if (word.empty()) break;
    if (!word.starts_with('[')) left_out = word == "systemd";
    found = found || left_out;
    if (left_out) continue;  // with the actions behind it
    if (!kept.empty()) kept += ' ';
    kept += word;
  }
  if (!found || kept.empty()) return std::nullopt;
  return kept;
}

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
  if (user.uid == 0 || user.uid < first_uid || user.uid == kOverflowUid) {
    answer.answer = Answer::unknown;
    return answer;
  }
  answer.uid = user.uid;
  answer.gids = groups_of(terminated, user.gid);
  answer.home = std::move(user.home);
  return answer;
}

Result<void> warm_up() {
  choose_sources();
  for (const auto* name : {"root", "nobody"}) {
    User user;
    if (find_user(name, user) == Answer::found) (void)groups_of(name, user.gid);
  }
  return {};
}

}  // namespace sternpost::users
