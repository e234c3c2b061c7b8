// The folders of a queue that no instance uses, as the commands below `sternpost spool` open them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "spool/engine.h"
#include "spool/posix_disk.h"
#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

/// Which queue: empty where it is the one of the configuration.
struct SpoolPlace {
  std::string directory;
  std::string deferred_directory;  ///< of the segments that are not in `directory`
};

class SpoolFolders {
 public:
  enum class Use : unsigned char {
    read,   ///< no file is touched: what is written to the disks stays in memory
    write,  ///< alone; new files belong to whom the folder belongs
  };

  /// Opens and locks the folders until the object goes. Refused while an instance, or another command that
  /// writes, uses them. As root, files are opened with the rights of the folder's owner.
  static Outcome<SpoolFolders> open(const Options& options, const SpoolPlace& place, Use use);

  /// Valid as long as this object.
  [[nodiscard]] spool::Disks disks() const { return {*volumes_.front().disk, deferred()}; }
  /// Recovers the spool. This object outlives it.
  [[nodiscard]] Outcome<std::unique_ptr<spool::Engine>> open_engine(
      spool::CheckpointUse use = spool::CheckpointUse::where_it_fits);
  /// Of the main folder, as it was given or configured.
  [[nodiscard]] const std::string& path() const { return volumes_.front().path; }
  [[nodiscard]] const spool::EngineOptions& options() const { return options_; }

 private:
  struct Volume {
    std::string path;
    UniqueFd lock;
    std::unique_ptr<spool::Disk> real;
    std::unique_ptr<spool::Disk> as_owner;
    std::unique_ptr<spool::Disk> overlay;  ///< null for Use::write
    spool::Disk* disk = nullptr;           ///< the one of these to use
  };

  static Outcome<Volume> open_volume(const std::string& path, const std::string& user_hint, Use use);
  [[nodiscard]] spool::Disk* deferred() const { return volumes_.size() > 1 ? volumes_.back().disk : nullptr; }
  /// For folders that no configuration tells of: what their own segments say.
  Outcome<void> take_options_from_segments();

  std::vector<Volume> volumes_;  ///< the main one, and that of the deferred log where it has its own
  std::unique_ptr<spool::SystemClock> clock_ = std::make_unique<spool::SystemClock>();
  spool::EngineOptions options_;
};

}  // namespace sternpost::tool
