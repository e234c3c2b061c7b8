#include "runtime/agent/content_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sternpost {
namespace {

constexpr std::uint64_t kSeed = 0;

}  // namespace

std::optional<spool_agent::Unreadable> to_unreadable(spool_agent::JobId job, const Error& error) {
  if (error.errno_value == EMFILE || error.errno_value == ENOMEM) return std::nullopt;
  return spool_agent::Unreadable{job, error.text, error.what_to_do != ErrorClass::temporary};
}

ContentFile::ContentFile(SharedFd descriptor, spool_agent::ContentFile stored)
    : descriptor_(std::move(descriptor)), stored_(stored), checksum_(kSeed) {}

void ContentFile::rewind() {
  checksum_ = RunningChecksum(kSeed);
  given_ = 0;
  begun_ = false;
}

Result<void> ContentFile::read(char* to, std::size_t bytes) const {
  if (!*descriptor_) {
    return fail(ErrorClass::temporary, "no descriptor was left for the content of the message", EMFILE);
  }
  for (std::size_t have = 0; have < bytes;) {
    const auto got = ::pread(descriptor_->get(), to + have, bytes - have, static_cast<off_t>(given_ + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("reading the content of the message");
    if (got == 0) {
      return fail(ErrorClass::permanent, fmt::format("the content of the message ends after {} of {} bytes",
                                                     given_ + have, stored_.bytes));
    }
    have += static_cast<std::size_t>(got);
  }
  return {};
}

Result<std::string_view> ContentFile::next() {
  const auto bytes = std::min<std::uint64_t>(kPieceBytes, stored_.bytes - given_);
  piece_.resize(bytes);
  if (auto done = read(piece_.data(), bytes); !done) return fail_with(std::move(done));
  const std::string_view piece(piece_.data(), bytes);
  checksum_.add(piece);
  given_ += bytes;
  begun_ = true;
  if (ended() && checksum_.value() != stored_.checksum) {
    return fail(ErrorClass::permanent, "the content of the message is damaged: its checksum is wrong");
  }
  return piece;
}

std::unique_ptr<mail::ContentSource> take_content(WaitingJob& job) {
  if (!job.job.file) return std::make_unique<mail::ContentInMemory>(std::move(job.content));
  return std::make_unique<ContentFile>(std::move(job.job.descriptor), *job.job.file);
}

}  // namespace sternpost
