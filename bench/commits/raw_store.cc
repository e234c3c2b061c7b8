// What the disk and the file system allow: as many bytes as a group of the engine has, by one pwrite and one
// fdatasync, over a file that was written before. No copy, no header, no checksum; nothing could be read back
// from it.

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "base/unique_fd.h"
#include "engine_parts.h"
#include "spool/group.h"

namespace sternpost::bench {
namespace {

/// As the engine writes it: contents, envelopes, headers and padding.
std::uint64_t bytes_of_group(std::size_t count) {
  const auto bytes = encode(envelope());
  spool::GroupBuilder group;
  for (std::size_t i = 0; i < count; ++i) {
    group.add_borrowing(spool::RecordType::message, QueueId{i + 1},
                        spool::MessageHead{{}, {}, {false, false, 1, {}, bytes}}, content());
  }
  return group.extent();
}

class RawStore : public Store {
 public:
  explicit RawStore(const Site& site)
      : fd_(::open((site.folder / "raw").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
        room_(site.room * kRoomOfMessage) {
    if (!fd_) die("opening the raw file");
    while (bytes_.size() < kStep) bytes_ += content();
    for (std::uint64_t at = 0; at < room_; at += kStep) write(at, kStep);
    if (::fsync(fd_.get()) != 0) die("syncing the raw file");
  }

  void commit(std::uint64_t, std::size_t count) override {
    if (std::exchange(count_, count) != count) group_bytes_ = bytes_of_group(count);
    while (bytes_.size() < group_bytes_) bytes_ += content();
    if (end_ + group_bytes_ > room_) end_ = 0;
    write(end_, group_bytes_);
    end_ += group_bytes_;
    if (::fdatasync(fd_.get()) != 0) die("syncing the raw file");
  }

  void clear() override { end_ = 0; }

 private:
  static constexpr std::uint64_t kStep = 4ULL << 20U;
  /// With envelope and padding. Groups of one have more, and are too slow to come that far.
  static constexpr std::uint64_t kRoomOfMessage = kMessageBytes + 512;

  void write(std::uint64_t offset, std::uint64_t bytes) {
    if (::pwrite(fd_.get(), bytes_.data(), bytes, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes)) {
      die("writing the raw file");
    }
  }

  UniqueFd fd_;
  std::uint64_t room_;
  std::string bytes_;
  std::uint64_t end_ = 0;
  std::size_t count_ = 0;          ///< messages of the last group
  std::uint64_t group_bytes_ = 0;  ///< of a group of so many
};

}  // namespace

std::unique_ptr<Store> make_raw_store(const Site& site) {
  return std::make_unique<RawStore>(site);
}

}  // namespace sternpost::bench
