// For tests: a disk whose user ends at some call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spool/disk.h"

namespace sternpost::spool {

/// Fails every call after so many, as if the process had ended: nothing more reaches the disk below.
class EndingDisk : public Disk {
 public:
  EndingDisk(Disk& below, std::uint64_t calls) : below_(below), left_(calls) {}

  Result<std::vector<std::string>> list() override {
    if (auto alive = count(); !alive) return fail_with(std::move(alive));
    return below_.list();
  }
  Result<std::unique_ptr<DiskFile>> open(const std::string& name) override {
    return opened([&] { return below_.open(name); });
  }
  Result<std::unique_ptr<DiskFile>> open_existing(const std::string& name) override {
    return opened([&] { return below_.open_existing(name); });
  }
  Result<std::unique_ptr<DiskFile>> create(const std::string& name) override {
    return opened([&] { return below_.create(name); });
  }
  Result<void> remove(const std::string& name) override {
    if (auto alive = count(); !alive) return alive;
    return below_.remove(name);
  }
  Result<void> sync_directory() override {
    if (auto alive = count(); !alive) return alive;
    return below_.sync_directory();
  }
  Result<std::uint64_t> free_bytes() override { return below_.free_bytes(); }

  /// A call was refused.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  class File : public DiskFile {
   public:
    File(EndingDisk& disk, std::unique_ptr<DiskFile> file) : disk_(disk), file_(std::move(file)) {}
    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
      if (auto alive = disk_.count(); !alive) return alive;
      return file_->write(offset, bytes);
    }
    Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
      if (auto alive = disk_.count(); !alive) return fail_with(std::move(alive));
      return file_->read(offset, out);
    }
    Result<void> sync() override {
      if (auto alive = disk_.count(); !alive) return alive;
      return file_->sync();
    }
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<void> clear() override {
      if (auto alive = disk_.count(); !alive) return alive;
      return file_->clear();
    }

   private:
    EndingDisk& disk_;
    std::unique_ptr<DiskFile> file_;
  };

  template <class Open>
  Result<std::unique_ptr<DiskFile>> opened(Open&& open) {
    if (auto alive = count(); !alive) return fail_with(std::move(alive));
    auto file = open();
    if (!file) return file;
    return std::make_unique<File>(*this, std::move(*file));
  }
  Result<void> count() {
    ended_ = left_ == 0;
    if (ended_) return fail(ErrorClass::temporary, "the process ended");
    --left_;
    return {};
  }

  Disk& below_;
  std::uint64_t left_;
  bool ended_ = false;
};

}  // namespace sternpost::spool
