#include "spool/overlay_disk.h"

#include <algorithm>

#include "spool/segment.h"

namespace sternpost::spool {

struct OverlayDisk::Contents {
  std::unique_ptr<DiskFile> below;  ///< null where the file exists in memory only
  std::uint64_t from_below = 0;     ///< so many bytes of it count
  std::uint64_t size = 0;
  std::map<std::uint64_t, std::string> blocks;  ///< written ones, by offset
};

namespace {

class OverlayFile : public DiskFile {
 public:
  explicit OverlayFile(std::shared_ptr<OverlayDisk::Contents> contents) : contents_(std::move(contents)) {}

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto begin = offset / kBlock * kBlock;
      const auto within = offset - begin;
      const auto count = std::min<std::uint64_t>(bytes.size(), kBlock - within);
      auto at = contents_->blocks.find(begin);
      if (at == contents_->blocks.end()) {
        std::string block(kBlock, '\0');
        if (count < kBlock) {
          if (auto got = read(begin, block); !got) return fail_with(std::move(got));
        }
        at = contents_->blocks.emplace(begin, std::move(block)).first;
      }
      at->second.replace(within, count, bytes.substr(0, count));
      offset += count;
      bytes.remove_prefix(count);
      contents_->size = std::max(contents_->size, offset);
    }
    return {};
  }

  Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    const auto size = contents_->size;
    if (offset >= size) return 0;
    const auto count = std::min<std::uint64_t>(out.size(), size - offset);
    out = out.first(count);
    std::ranges::fill(out, '\0');
    if (offset < contents_->from_below) {
      auto got = contents_->below->read(offset, out.first(std::min(count, contents_->from_below - offset)));
      if (!got) return got;
    }
    for (auto at = contents_->blocks.lower_bound(offset / kBlock * kBlock);
         at != contents_->blocks.end() && at->first < offset + count; ++at) {
      const auto from = std::max(offset, at->first);
      const auto end = std::min(offset + count, at->first + kBlock);
      at->second.copy(out.data() + (from - offset), end - from, from - at->first);
    }
    return count;
  }

  Result<void> sync() override { return {}; }
  Result<std::uint64_t> size() override { return contents_->size; }
  Result<void> clear() override {
    contents_->blocks.clear();
    contents_->size = contents_->from_below = 0;
    return {};
  }

 private:
  std::shared_ptr<OverlayDisk::Contents> contents_;
};

}  // namespace

Result<std::vector<std::string>> OverlayDisk::list() {
  auto names = below_.list();
  if (!names) return names;
  names_below_ = {names->begin(), names->end()};
  listed_ = true;
  std::erase_if(*names, [this](const std::string& name) { return removed_.contains(name); });
  for (const auto& [name, contents] : files_) {
    if (!names_below_.contains(name)) names->push_back(name);
  }
  return names;
}

Result<bool> OverlayDisk::is_below(const std::string& name) {
  if (!listed_) {
    if (auto names = list(); !names) return fail_with(std::move(names));
  }
  return names_below_.contains(name) && !removed_.contains(name);
}

Result<bool> OverlayDisk::exists(const std::string& name) {
  return files_.contains(name) ? Result<bool>(true) : is_below(name);
}

Result<std::unique_ptr<DiskFile>> OverlayDisk::open(const std::string& name) {
  if (const auto at = files_.find(name); at != files_.end()) return std::make_unique<OverlayFile>(at->second);
  auto contents = std::make_shared<Contents>();
  const auto exists = is_below(name);
  if (!exists) return fail_with(Result<bool>(exists));
  if (*exists) {
    auto below = below_.open(name);
    if (!below) return below;
    const auto size = (*below)->size();
    if (!size) return fail_with(Result<std::uint64_t>(size));
    contents->below = std::move(*below);
    contents->size = contents->from_below = *size;
  }
  files_.emplace(name, contents);
  return std::make_unique<OverlayFile>(std::move(contents));
}

Result<std::unique_ptr<DiskFile>> OverlayDisk::open_existing(const std::string& name) {
  const auto there = exists(name);
  if (!there) return fail_with(Result<bool>(there));
  if (!*there) return fail_errno("opening " + name, ENOENT);
  // No descriptor is kept of what is only read: there may be more content files than a process may open.
  return files_.contains(name) ? open(name) : below_.open_existing(name);
}

Result<std::unique_ptr<DiskFile>> OverlayDisk::create(const std::string& name) {
  const auto there = exists(name);
  if (!there) return fail_with(Result<bool>(there));
  if (*there) return fail_errno("opening " + name, EEXIST);
  return open(name);
}

Result<void> OverlayDisk::remove(const std::string& name) {
  files_.erase(name);
  removed_.insert(name);
  return {};
}

}  // namespace sternpost::spool
