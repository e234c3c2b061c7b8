// Content that is not in the log: that of a large message is in a file of its own, in the main folder, under
// its final name. The file is durable before the message is committed, and goes when the message is finished;
// one without a live message is an orphan. See docs/internals/spool.md.
//
// Nothing here shares anything but the disk, so that another thread may write, sync and remove such files
// while the engine works: large mail delays no small mail.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "base/checksum.h"
#include "base/queue_id.h"
#include "base/result.h"
#include "spool/disk.h"

namespace sternpost::spool {

/// The longest content that is in the log itself: longer ones delay whoever shares their sync.
inline constexpr std::uint64_t kMaxInlineContent = 64ULL << 10U;
/// The longest step in which a content file is read or written.
inline constexpr std::size_t kContentStep = 64UL << 10U;

/// What a message record says of such a file. On the disk: it stands in the place of the content.
struct ContentFile {
  std::uint64_t bytes = 0;     ///< more than 0, at most kMaxContentFile
  std::uint64_t checksum = 0;  ///< of all of them, with kContentSeed

  bool operator==(const ContentFile&) const = default;
  static constexpr auto fields() { return std::tuple(&ContentFile::bytes, &ContentFile::checksum); }
};
inline constexpr std::uint64_t kContentSeed = 0;
/// Longer ones are not ours, so that what all have together can be counted.
inline constexpr std::uint64_t kMaxContentFile = 1ULL << 40U;
constexpr bool is_possible(const ContentFile& file) {
  return file.bytes > 0 && file.bytes <= kMaxContentFile;
}

/// "content-1k9fz"
std::string content_name(QueueId id);
/// The inverse; nothing for any other name.
std::optional<QueueId> parse_content_name(std::string_view name);

/// Writes one. What is left unfinished, or failed, is for remove_content().
class ContentWriter {
 public:
  /// Makes the file; fails where there is one of this name. `disk` outlives the writer.
  static Result<ContentWriter> create(Disk& disk, QueueId id);

  Result<void> append(std::string_view bytes);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// Syncs what was written. The message may be committed when the disk's folder was synced after this, too:
  /// one sync serves several files.
  Result<ContentFile> finish();

 private:
  explicit ContentWriter(std::unique_ptr<DiskFile> file) : file_(std::move(file)) {}

  std::unique_ptr<DiskFile> file_;
  std::uint64_t bytes_ = 0;
  RunningChecksum checksum_{kContentSeed};
};

/// The same of content that is in memory; durable when this succeeds. Nothing is left after a failure, where
/// the disk lets it be removed.
Result<ContentFile> write_content(Disk& disk, QueueId id, std::string_view content);

/// Success also where there is none. A crash may bring it back, as an orphan.
Result<void> remove_content(Disk& disk, QueueId id);

/// Takes content piece by piece, in order; an error ends the reading.
using ContentSink = std::function<Result<void>(std::string_view piece)>;

/// Gives all of the file to `sink`. Damage (a file that is missing, of another length, or not what was
/// written) is an error of class permanent, and found at the end at the latest; a failing disk is one of
/// class temporary.
Result<void> read_content(Disk& disk, QueueId id, const ContentFile& file, const ContentSink& sink);

/// The first octets of the file, at most so many. Its length is looked at, and no checksum: damage of these
/// octets is not noticed. Errors as above.
Result<std::string> read_beginning(Disk& disk, QueueId id, const ContentFile& file, std::size_t bytes);

/// At a start: makes durable what memory alone may have of the file, where the folder is a copy, and says
/// what is wrong with it by its length alone; empty where nothing is. Temporary where the disk fails.
Result<std::string> keep_content(Disk& disk, QueueId id, std::uint64_t bytes);

}  // namespace sternpost::spool
