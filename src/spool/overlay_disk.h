// A disk that keeps what is written in memory: whoever opens a spool on it finds what a start would find, and
// no file is touched.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "spool/disk.h"

namespace sternpost::spool {

/// Reads from `below`, which outlives it, and never writes to it. Memory grows with the blocks that are
/// written: a few for each segment when a spool is opened. Syncs succeed at once.
class OverlayDisk : public Disk {
 public:
  explicit OverlayDisk(Disk& below) : below_(below) {}

  Result<std::vector<std::string>> list() override;
  Result<std::unique_ptr<DiskFile>> open(const std::string& name) override;
  Result<std::unique_ptr<DiskFile>> open_existing(const std::string& name) override;
  Result<std::unique_ptr<DiskFile>> create(const std::string& name) override;
  Result<void> remove(const std::string& name) override;
  Result<void> sync_directory() override { return {}; }
  Result<std::uint64_t> free_bytes() override { return below_.free_bytes(); }

  /// What is in memory of one file; all that have it open share it.
  struct Contents;

 private:
  Result<bool> exists(const std::string& name);
  Result<bool> is_below(const std::string& name);

  Disk& below_;
  std::set<std::string> names_below_;
  bool listed_ = false;
  std::map<std::string, std::shared_ptr<Contents>> files_;
  std::set<std::string> removed_;
};

}  // namespace sternpost::spool
