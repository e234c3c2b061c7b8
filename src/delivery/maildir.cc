#include "delivery/maildir.h"

#include <fmt/format.h>

#include <cerrno>
#include <iterator>
#include <utility>

#include "delivery/mailbox_map.h"

namespace sternpost::delivery {
namespace {

/// A file name has at most 255 octets, and mail readers add their flags to it.
constexpr std::size_t kMostOfHostname = 200;

}  // namespace

FileResult<OpenHandle> MaildirCache::open_or_make(Handle parent, const std::string& name) {
  auto opened = files_.open_directory(parent, name);
  if (!opened && opened.error().value == ENOENT) {
    const auto made = files_.make_directory(parent, name);
    if (!made && made.error().value != EEXIST) return std::unexpected(made.error());
    opened = files_.open_directory(parent, name);
  }
  if (!opened) return std::unexpected(opened.error());
  return OpenHandle(files_, *opened);
}

FileResult<std::shared_ptr<Maildir>> MaildirCache::open_afresh(const std::string& path) {
  const auto components = split_path(path);
  if (!components) return std::unexpected(Errno{EINVAL});
  OpenHandle folder;
  for (const auto& component : *components) {
    auto next = open_or_make(folder.get() == kNoHandle ? root_ : folder.get(), component);
    if (!next) return std::unexpected(next.error());
    folder = std::move(*next);
  }
  auto maildir = std::make_shared<Maildir>();
  const std::pair<const char*, OpenHandle*> parts[] = {
      {"tmp", &maildir->tmp_dir}, {"new", &maildir->new_dir}, {"cur", &maildir->cur_dir}};
  for (const auto& [name, handle] : parts) {
    auto part = open_or_make(folder.get(), name);
    if (!part) return std::unexpected(part.error());
    *handle = std::move(*part);
    const auto device = files_.device(handle->get());
    if (!device) return std::unexpected(device.error());
    if (handle != &maildir->tmp_dir && *device != maildir->device) return std::unexpected(Errno{EXDEV});
    maildir->device = *device;
  }
  return maildir;
}

FileResult<std::shared_ptr<Maildir>> MaildirCache::open(const std::string& path) {
  if (const auto at = by_path_.find(path); at != by_path_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, at->second);
    return at->second->maildir;
  }
  auto maildir = open_afresh(path);
  if (!maildir) return maildir;
  by_use_.push_front({path, *maildir});
  by_path_.emplace(path, by_use_.begin());
  if (by_use_.size() > max_open_) {
    by_path_.erase(by_use_.back().path);
    by_use_.pop_back();
  }
  return maildir;
}

void MaildirCache::forget(const std::string& path) {
  const auto at = by_path_.find(path);
  if (at == by_path_.end()) return;
  by_use_.erase(at->second);
  by_path_.erase(at);
}

void MaildirCache::forget_device(std::uint64_t device) {
  std::erase_if(by_use_, [&](const Cached& cached) {
    if (cached.maildir->device != device) return false;
    by_path_.erase(cached.path);
    return true;
  });
}

std::string maildir_file_name(WallTime arrival, QueueId id, std::uint32_t recipient,
                              std::string_view hostname) {
  auto name = fmt::format("{}.M{}Q{}R{}.", arrival.microseconds / 1'000'000, arrival.microseconds % 1'000'000,
                          to_string(id), recipient);
  for (const char c : hostname.substr(0, kMostOfHostname)) {
    if (c == '/') {
      name += "\\057";
    } else if (c == ':') {
      name += "\\072";
    } else {
      name += c;
    }
  }
  return name;
}

}  // namespace sternpost::delivery
