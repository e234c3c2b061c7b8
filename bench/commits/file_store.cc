// A file for each message, as most mail servers keep their queue: write, fsync, rename, fsync of the folder.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "store.h"

namespace sternpost::bench {
namespace {

class FileStore : public Store {
 public:
  explicit FileStore(const Site& site) : site_(site) { FileStore::clear(); }

  void commit(std::uint64_t first, std::size_t count) override {
    for (auto number = first; number < first + count; ++number) {
      const auto name = fmt::format("{:x}", number);
      write(name + ".tmp");
      if (::renameat(folder_.get(), (name + ".tmp").c_str(), folder_.get(), name.c_str()) != 0)
        die("renaming");
    }
    if (::fsync(folder_.get()) != 0) die("syncing a folder");
  }

  bool is_shared() const override { return true; }

  /// The files stay: after a mass unlink ext4 passes over the freed inodes, and the next run would be slower.
  void clear() override {
    const auto folder = site_.folder / fmt::format("{}", runs_++);
    std::filesystem::create_directory(folder);
    folder_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder_) die("opening a folder");
  }

 private:
  void write(const std::string& name) {
    const UniqueFd file(::openat(folder_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file ||
        ::write(file.get(), content().data(), kMessageBytes) != static_cast<ssize_t>(kMessageBytes) ||
        ::fsync(file.get()) != 0) {
      die("writing " + name);
    }
  }

  Site site_;
  UniqueFd folder_;
  unsigned runs_ = 0;
};

}  // namespace

std::unique_ptr<Store> make_file_store(const Site& site) {
  return std::make_unique<FileStore>(site);
}

}  // namespace sternpost::bench
