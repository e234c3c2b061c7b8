// Open Maildirs: the folders tmp, new and cur of a mailbox, made where they are missing.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/queue_id.h"
#include "base/time.h"
#include "delivery/file_system.h"

namespace sternpost::delivery {

struct Maildir {
  OpenHandle tmp_dir, new_dir, cur_dir;
  std::uint64_t device =
      0;  ///< the file system of the three: Maildirs may be on others than the mail folder is
  /// False until a sync of the whole file system after the opening: the folders may have been made a moment
  /// ago, by this process or by one that ended before it could sync.
  bool known_durable = false;
};

/// Keeps the Maildirs used last open, up to a bound; one that is still in use stays open beyond it.
class MaildirCache {
 public:
  static constexpr std::size_t kMaxOpen = 256;

  /// `root` is the mail folder; borrowed.
  MaildirCache(FileSystem& files, Handle root, std::size_t max_open = kMaxOpen)
      : files_(files), root_(root), max_open_(max_open) {}

  /// Makes what is missing, mode 0700; nothing of it is synced yet. `path` is checked by split_path: EINVAL.
  /// EXDEV where the three folders are not on one file system.
  FileResult<std::shared_ptr<Maildir>> open(const std::string& path);

  /// Forgets a Maildir, so that the next delivery finds out what has become of it.
  void forget(const std::string& path);

  /// The same for all on a file system. A failed syncfs tells its error through one handle; each other that
  /// was open would tell it again, of what was written later.
  void forget_device(std::uint64_t device);

  [[nodiscard]] std::size_t size() const { return by_path_.size(); }

 private:
  struct Cached {
    std::string path;
    std::shared_ptr<Maildir> maildir;
  };

  FileResult<std::shared_ptr<Maildir>> open_afresh(const std::string& path);
  FileResult<OpenHandle> open_or_make(Handle parent, const std::string& name);

  FileSystem& files_;
  Handle root_;
  std::size_t max_open_;
  std::list<Cached> by_use_;  ///< last used first
  std::unordered_map<std::string, std::list<Cached>::iterator> by_path_;
};

/// The name of a delivery's file, the same at every attempt: "1700000000.M123456Q1k9fzR0.mx.example.org" from
/// arrival, queue id and recipient index. '/' and ':' of the host become \057 and \072, as the Maildir page
/// says.
std::string maildir_file_name(WallTime arrival, QueueId id, std::uint32_t recipient,
                              std::string_view hostname);

}  // namespace sternpost::delivery
