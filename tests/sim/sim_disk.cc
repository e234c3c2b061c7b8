#include "sim_disk.h"

#include <algorithm>
#include <utility>

namespace sternpost::sim {

class SimDisk::File : public spool::DiskFile {
 public:
  File(SimDisk& disk, std::shared_ptr<Inode> inode) : disk_(disk), inode_(std::move(inode)) {}

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    return disk_.write(*inode_, offset, bytes);
  }
  Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    disk_.count_call();
    if (auto may = disk_.may_fail(disk_.rates_.other, "reading"); !may) return fail_with(std::move(may));
    if (offset >= inode_->cache.size()) return std::size_t{0};
    const auto n = std::min(out.size(), inode_->cache.size() - offset);
    const auto bad = inode_->unreadable.lower_bound(offset / kSector);
    if (bad != inode_->unreadable.end() && *bad * kSector < offset + n) return fail_errno("reading", EIO);
    std::copy_n(inode_->cache.data() + offset, n, out.data());
    return n;
  }
  Result<void> sync() override { return disk_.sync(*inode_); }
  Result<void> write_out(std::uint64_t /*offset*/, std::uint64_t /*bytes*/) override {
    disk_.count_call();
    return disk_.may_fail(disk_.rates_.other, "writing out");
  }
  Result<std::uint64_t> size() override {
    disk_.count_call();
    return inode_->cache.size();
  }
  Result<void> clear() override {
    disk_.count_call();
    if (auto may = disk_.may_fail(disk_.rates_.other, "emptying"); !may) return may;
    auto& inode = *inode_;
    if (!inode.before_clear) inode.before_clear = std::exchange(inode.durable, {});
    inode.cache.clear();
    inode.durable.clear();
    inode.unsynced.clear();
    inode.unreadable.clear();
    return {};
  }

 private:
  SimDisk& disk_;
  std::shared_ptr<Inode> inode_;
};

bool SimDisk::chance(double probability) {
  return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

std::size_t SimDisk::below(std::size_t n) {
  return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
}

void SimDisk::count_call() {
  if (calm_ || calls_to_crash_ == 0) return;
  --calls_to_crash_;
  if (calls_to_crash_ == 0) throw Crash{};
}

Result<void> SimDisk::may_fail(double rate, const char* what) {
  if (calm_ || !chance(rate)) return {};
  return fail_errno(what, EIO);
}

Result<std::vector<std::string>> SimDisk::list() {
  count_call();
  if (auto may = may_fail(rates_.other, "listing"); !may) return fail_with(std::move(may));
  std::vector<std::string> names;
  for (const auto& [name, inode] : cached_names_) names.push_back(name);
  std::ranges::shuffle(names, random_);
  return names;
}

Result<std::unique_ptr<spool::DiskFile>> SimDisk::open(const std::string& name) {
  count_call();
  if (auto may = may_fail(rates_.other, "opening"); !may) return fail_with(std::move(may));
  auto& inode = cached_names_[name];
  if (!inode) inode = std::make_shared<Inode>();
  return std::make_unique<File>(*this, inode);
}

Result<std::unique_ptr<spool::DiskFile>> SimDisk::open_existing(const std::string& name) {
  if (!cached_names_.contains(name)) return fail_errno("opening " + name, ENOENT);
  return open(name);
}

Result<std::unique_ptr<spool::DiskFile>> SimDisk::create(const std::string& name) {
  if (cached_names_.contains(name)) return fail_errno("opening " + name, EEXIST);
  return open(name);
}

Result<void> SimDisk::remove(const std::string& name) {
  count_call();
  if (auto may = may_fail(rates_.other, "removing"); !may) return may;
  cached_names_.erase(name);
  return {};
}

Result<void> SimDisk::sync_directory() {
  count_call();
  if (auto may = may_fail(rates_.sync, "syncing the folder"); !may) return may;
  if (!lies_.directory_sync_forgets) durable_names_ = cached_names_;
  return {};
}

Result<std::uint64_t> SimDisk::free_bytes() {
  count_call();
  std::uint64_t used = 0;
  for (const auto& [name, inode] : cached_names_) used += inode->cache.size();
  return used > capacity_ ? 0 : capacity_ - used;
}

void SimDisk::write_sectors(Inode& inode, std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  const auto end = offset + bytes.size();
  if (end > inode.cache.size()) inode.cache.resize(end);
  inode.cache.replace(offset, bytes.size(), bytes);
  for (auto sector = offset / kSector; sector * kSector < end; ++sector) {
    inode.unsynced[sector].push_back(inode.cache.substr(sector * kSector, kSector));
    inode.unreadable.erase(sector);
  }
}

Result<void> SimDisk::write(Inode& inode, std::uint64_t offset, std::string_view bytes) {
  const auto part = [&] { return bytes.substr(0, below(bytes.size() / kSector + 1) * kSector); };
  try {
    count_call();
  } catch (const Crash&) {
    write_sectors(inode, offset, part());
    throw;
  }
  const auto grows = std::max(offset + bytes.size(), inode.cache.size()) - inode.cache.size();
  const auto free = free_bytes();
  if (!calm_ && (!free || grows > *free)) return fail_errno("writing", ENOSPC);
  if (auto may = may_fail(rates_.write, "writing"); !may) {
    write_sectors(inode, offset, part());
    return may;
  }
  if (cuts_unreadable(inode, offset, bytes.size()) && chance(0.5)) return fail_errno("writing", EIO);
  write_sectors(inode, offset, bytes);
  return {};
}

/// A part of a sector is written: the rest must be read for it, which may work again.
bool SimDisk::cuts_unreadable(const Inode& inode, std::uint64_t offset, std::uint64_t bytes) {
  const auto cuts = [&](std::uint64_t at) {
    return at % kSector != 0 && inode.unreadable.contains(at / kSector);
  };
  return cuts(offset) || cuts(offset + bytes);
}

void SimDisk::put_durable(Inode& inode, std::size_t sector, const std::string& bytes) {
  const auto end = sector * kSector + bytes.size();
  if (end > inode.durable.size()) inode.durable.resize(end);
  inode.durable.replace(sector * kSector, bytes.size(), bytes);
}

Result<void> SimDisk::sync(Inode& inode) {
  count_call();
  if (auto may = may_fail(rates_.sync, "syncing"); !may) {
    for (const auto& [sector, versions] : inode.unsynced) {
      if (chance(0.5)) put_durable(inode, sector, versions.back());
    }
    inode.unsynced.clear();  // clean pages now, whatever the disk has
    if (chance(0.5)) inode.before_clear.reset();
    return may;
  }
  const bool header_only =
      !inode.unsynced.empty() && inode.unsynced.rbegin()->first < spool::kBlock / kSector;
  if (lies_.sync_forgets || (lies_.header_sync_forgets && header_only)) return {};
  for (const auto& [sector, versions] : inode.unsynced) put_durable(inode, sector, versions.back());
  inode.unsynced.clear();
  inode.before_clear.reset();
  return {};
}

void SimDisk::rot(std::size_t count) {
  for (; count > 0 && !cached_names_.empty(); --count) {
    auto& inode =
        *std::next(cached_names_.begin(), static_cast<std::ptrdiff_t>(below(cached_names_.size())))->second;
    const auto sectors = inode.cache.size() / kSector;
    if (sectors > 0) inode.unreadable.insert(below(sectors));
  }
}

void SimDisk::heal() {
  for (const auto& [name, inode] : cached_names_) inode->unreadable.clear();
}

void SimDisk::lose_power() {
  std::set<std::string> names;
  for (const auto* directory : {&cached_names_, &durable_names_}) {
    for (const auto& [name, inode] : *directory) names.insert(name);
  }
  for (const auto& name : names) {
    if (!chance(0.5)) continue;
    const auto cached = cached_names_.find(name);
    if (cached == cached_names_.end()) {
      durable_names_.erase(name);
    } else {
      durable_names_[name] = cached->second;
    }
  }
  cached_names_ = durable_names_;
  const auto kept = std::uniform_real_distribution<double>(0, 1)(random_);
  for (const auto& [name, inode] : cached_names_) {
    if (inode->before_clear && chance(0.5)) {
      inode->durable = std::move(*inode->before_clear);
      inode->unsynced.clear();
    }
    inode->before_clear.reset();
    for (const auto& [sector, versions] : inode->unsynced) {
      if (chance(kept)) put_durable(*inode, sector, versions[below(versions.size())]);
    }
    inode->unsynced.clear();
    inode->cache = inode->durable;
  }
}

}  // namespace sternpost::sim
