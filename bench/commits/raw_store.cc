// What the disk and the file system allow: the bare messages of a group by one pwrite and one fdatasync, over
// a file that was written before. No copy, no header, no checksum; nothing could be read back from it.

#include <fcntl.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "store.h"

namespace sternpost::bench {
namespace {

class RawStore : public Store {
 public:
  explicit RawStore(const Site& site)
      : fd_(::open((site.folder / "raw").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), room_(site.room) {
    if (!fd_) die("opening the raw file");
    reserve(1024);
    for (std::uint64_t at = 0; at < room_; at += 1024) write(at, 1024);
    if (::fsync(fd_.get()) != 0) die("syncing the raw file");
  }

  void commit(std::uint64_t first, std::size_t count) override {
    reserve(count);
    write(first, count);
    if (::fdatasync(fd_.get()) != 0) die("syncing the raw file");
  }

  void clear() override {}

 private:
  void reserve(std::size_t count) {
    while (messages_.size() < count * kMessageBytes) messages_ += content();
  }

  void write(std::uint64_t first, std::size_t count) {
    const auto bytes = static_cast<ssize_t>(count * kMessageBytes);
    if (::pwrite(fd_.get(), messages_.data(), count * kMessageBytes,
                 static_cast<off_t>(first * kMessageBytes)) != bytes) {
      die("writing the raw file");
    }
  }

  UniqueFd fd_;
  std::uint64_t room_;
  std::string messages_;
};

}  // namespace

std::unique_ptr<Store> make_raw_store(const Site& site) {
  return std::make_unique<RawStore>(site);
}

}  // namespace sternpost::bench
