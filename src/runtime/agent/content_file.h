// The content of a job, from its frames or from the file whose descriptor came with it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/checksum.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "mail/content_source.h"
#include "runtime/agent/agent_desk.h"

namespace sternpost {

/// What spool is to be told where content cannot be had whatever this process does: too short, damaged, or
/// not readable. Nothing where the process lacked a descriptor or memory, and a later attempt may read it.
std::optional<spool_agent::Unreadable> to_unreadable(spool_agent::JobId job, const Error& error);

/// Content in a file, read at offsets of its own, so that others may read the same open file. Blocking. Its
/// memory is one piece. The checksum is taken on the way: the last piece is given only where it is right.
class ContentFile final : public mail::ContentSource {
 public:
  ContentFile(SharedFd descriptor, spool_agent::ContentFile stored);

  void rewind() override;
  Result<std::string_view> next() override;
  [[nodiscard]] bool ended() const override { return begun_ && given_ == stored_.bytes; }

 private:
  Result<void> read(char* to, std::size_t bytes) const;

  SharedFd descriptor_;
  spool_agent::ContentFile stored_;
  std::vector<char> piece_;
  RunningChecksum checksum_;
  std::uint64_t given_ = 0;
  bool begun_ = false;
};

/// Takes the content out of `job`, with its descriptor.
std::unique_ptr<mail::ContentSource> take_content(WaitingJob& job);

}  // namespace sternpost
