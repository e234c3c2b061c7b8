#include "disk_variants.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/unique_fd.h"
#include "spool/segment.h"
#include "store.h"

namespace sternpost::bench {
namespace {

/// Memory on a block boundary, which grows.
class AlignedBuffer {
 public:
  std::string_view hold(std::string_view bytes) {
    if (bytes.size() > size_) {
      size_ = bytes.size();
      memory_.reset(static_cast<char*>(::operator new(size_, kAlignment)));
    }
    std::memcpy(memory_.get(), bytes.data(), bytes.size());
    return {memory_.get(), bytes.size()};
  }

 private:
  static constexpr std::align_val_t kAlignment{spool::kBlock};
  struct Free {
    void operator()(char* memory) const { ::operator delete(memory, kAlignment); }
  };
  std::unique_ptr<char, Free> memory_;
  std::size_t size_ = 0;
};

class DirectFile : public spool::DiskFile {
 public:
  DirectFile(std::unique_ptr<spool::DiskFile> file, UniqueFd fd)
      : file_(std::move(file)), fd_(std::move(fd)) {}

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    const auto aligned = buffer_.hold(bytes);
    const auto n = ::pwrite(fd_.get(), aligned.data(), aligned.size(), static_cast<off_t>(offset));
    if (n != static_cast<ssize_t>(aligned.size())) return fail_errno("writing directly");
    return {};
  }
  Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    return file_->read(offset, out);
  }
  Result<void> sync() override { return {}; }
  Result<std::uint64_t> size() override { return file_->size(); }
  Result<void> clear() override { return file_->clear(); }

 private:
  std::unique_ptr<spool::DiskFile> file_;
  UniqueFd fd_;
  AlignedBuffer buffer_;
};

class ThreadedFile : public spool::DiskFile {
 public:
  ThreadedFile(ThreadedDisk& disk, std::unique_ptr<spool::DiskFile> file)
      : disk_(disk), file_(std::move(file)) {}
  ~ThreadedFile() override { disk_.wait(); }
  ThreadedFile(const ThreadedFile&) = delete;
  ThreadedFile& operator=(const ThreadedFile&) = delete;

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    disk_.wait();
    offset_ = offset;
    bytes_ = bytes;  // the engine builds the next group where this one stood
    return {};
  }
  Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    disk_.wait();
    return file_->read(offset, out);
  }
  Result<void> sync() override {
    disk_.wait();
    disk_.hand_over(*file_, offset_, bytes_);
    return {};
  }
  Result<std::uint64_t> size() override {
    disk_.wait();
    return file_->size();
  }
  Result<void> clear() override {
    disk_.wait();
    return file_->clear();
  }

 private:
  ThreadedDisk& disk_;
  std::unique_ptr<spool::DiskFile> file_;
  std::uint64_t offset_ = 0;
  std::string bytes_;
};

}  // namespace

Result<std::unique_ptr<spool::DiskFile>> DirectDisk::open(const std::string& name) {
  auto file = VariantDisk::open(name);
  if (!file) return file;
  UniqueFd fd(::open((folder_ / name).c_str(), O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC));
  if (!fd) return fail_errno("opening " + name);
  return std::make_unique<DirectFile>(std::move(*file), std::move(fd));
}

ThreadedDisk::ThreadedDisk(std::unique_ptr<spool::Disk> disk)
    : VariantDisk(std::move(disk)), thread_([this] { work(); }) {}

ThreadedDisk::~ThreadedDisk() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<std::unique_ptr<spool::DiskFile>> ThreadedDisk::open(const std::string& name) {
  auto file = VariantDisk::open(name);
  if (!file) return file;
  return std::make_unique<ThreadedFile>(*this, std::move(*file));
}

void ThreadedDisk::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return file_ == nullptr; });
}

void ThreadedDisk::hand_over(spool::DiskFile& file, std::uint64_t offset, const std::string& bytes) {
  {
    const std::lock_guard lock(mutex_);
    file_ = &file;
    offset_ = offset;
    bytes_ = &bytes;
  }
  changed_.notify_all();
}

void ThreadedDisk::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return file_ != nullptr || ending_; });
    if (file_ == nullptr) return;
    lock.unlock();
    if (!file_->write(offset_, *bytes_) || !file_->sync()) die("the disk fails");
    lock.lock();
    file_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace sternpost::bench
