// FileSystem by the kernel's calls.
#pragma once

#include "delivery/file_system.h"

namespace sternpost::delivery {

/// Handles are descriptors.
class KernelFiles final : public FileSystem {
 public:
  FileResult<Handle> open_directory(Handle parent, const std::string& name) override;
  FileResult<void> make_directory(Handle parent, const std::string& name) override;
  FileResult<Handle> create(Handle directory, const std::string& name) override;
  FileResult<void> write(Handle file, std::string_view bytes) override;
  FileResult<void> sync(Handle handle) override;
  FileResult<void> sync_all(Handle handle) override;
  FileResult<std::uint64_t> device(Handle handle) override;
  FileResult<void> rename(Handle from, const std::string& name, Handle to) override;
  FileResult<void> remove(Handle directory, const std::string& name) override;
  FileResult<bool> exists(Handle directory, const std::string& name) override;
  FileResult<bool> has_flagged(Handle directory, const std::string& name) override;
  FileResult<WallTime> modified(Handle directory) override;
  void close(Handle handle) override;
};

}  // namespace sternpost::delivery
