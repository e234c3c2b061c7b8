// Durable delivery into Maildirs, in batches that share their syncs.
//
// A batch writes every file into tmp, syncs once, renames every file into new, syncs once, and only then
// reports. Measured on ext4 with 4 KiB files in different Maildirs (medians, two cores, a virtual disk with 8
// ms for two flushes): one file takes 8.0 ms with fsync of file and folder and 8.0 ms with two syncfs; two
// take 12 against 8, eight 64 against 8, sixty-four 488 against 9. So syncfs is used for two and more; one
// alone is synced by fsync, which does not write out what others left dirty on the same file system.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/queue_id.h"
#include "base/time.h"
#include "delivery/content.h"
#include "delivery/file_system.h"
#include "delivery/maildir.h"
#include "mail/address.h"
#include "mail/content_source.h"
#include "mail/outcome.h"
#include "mail/status.h"

namespace sternpost::delivery {

/// One file to deliver.
struct Delivery {
  std::string folder;  ///< of the mailbox, below the mail folder
  QueueId id;
  WallTime arrival;
  mail::ReversePath reverse_path;
  std::uint32_t recipient = 0;
  mail::Mailbox address;
  /// With CRLF line ends. Borrowed until deliver() returns, not null; several deliveries may share it.
  mail::ContentSource* content = nullptr;
};

struct DeliveryResult {
  mail::Disposition disposition = mail::Disposition::deferred;
  mail::Reply reply;
  std::string file;            ///< name in the Maildir; empty where it did not get so far
  bool found_earlier = false;  ///< an earlier attempt had delivered it
};

/// Not for several threads. Blocking.
///
/// A file of the same name in new, or in cur with any flags, is this delivery, made by an attempt whose
/// outcome was lost: it succeeds without another copy. To spare a scan of cur for each delivery, cur is
/// searched only where it changed after the message arrived (less kClockSlack): before that it cannot hold
/// the message.
///
/// Failures: a full disk is deferred with 4.3.1, a full quota with 4.2.2, everything else, content that
/// cannot be read among it, with 4.3.0 and a text that names the cause; a loop fails with 5.4.6. Each sync is
/// one of every file system that the batch has Maildirs on. Where the first fails, all that the batch has
/// there is deferred and its tmp files are removed; where the second fails, the files are taken out of new as
/// well, for a later sync that succeeds says nothing about what this one lost.
class Deliverer {
 public:
  /// Files that share their syncs; a longer batch is split, so that descriptors are bounded at three for
  /// each.
  static constexpr std::size_t kMaxGroup = 1024;
  static constexpr Microseconds kClockSlack = Seconds(2);

  /// `files` and `root`, the mail folder, are borrowed. Nothing is synced through `root`: processes share its
  /// open file, and an error that syncfs told one of them it does not tell another.
  Deliverer(FileSystem& files, Handle root, std::string hostname)
      : files_(files), hostname_(std::move(hostname)), maildirs_(files, root) {}

  /// One result for each delivery, in their order.
  std::vector<DeliveryResult> deliver(std::span<const Delivery> batch);

 private:
  enum class Stage : unsigned char { done, written, found, in_new };

  struct Progress {
    Stage stage = Stage::done;
    std::shared_ptr<Maildir> maildir;
    bool found_in_cur = false;
    DeliveryResult result;
  };

  void deliver_group(std::span<const Delivery> group, std::span<DeliveryResult> results);
  Progress begin(const Delivery& delivery, bool sync_now);
  FileResult<bool> find_earlier(const Delivery& delivery, Progress& progress);
  Written write_tmp(const Delivery& delivery, const Progress& progress, bool sync_now);
  FileResult<Handle> create_tmp(const Progress& progress);
  void commit_names(std::span<Progress> group);
  void sync_folder(Progress& only);
  void sync_devices(std::span<Progress> group, std::string_view what);
  void take_back(Progress& progress, Errno error, std::string_view what);

  FileSystem& files_;
  std::string hostname_;
  MaildirCache maildirs_;
  std::string buffer_;
};

}  // namespace sternpost::delivery
