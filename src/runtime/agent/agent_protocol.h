// Channel between spool and a delivery agent (virtual, smtp).
//
// Trust: an agent sees only the jobs it is handed; spool refuses an outcome for a job that it did not hand to
// that channel, or that the agent did not announce when the channel began. The first frames from the agent
// are InHand: after a restart of spool it names what the agent still works on, so that nothing is handed out
// twice. An agent keeps an Outcome until spool has acknowledged it with Recorded.
//
// Content comes in the Job's frame and in Pieces ahead of it, or lies in a file whose descriptor, open for
// reading alone, comes with the Job. The agent reads such a file as often as it needs to, at offsets of its
// own, and gives nothing of it out for good before it has seen that all of it is there and undamaged. Where
// it is not, the job ends with Unreadable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "base/unique_fd.h"
#include "mail/envelope.h"
#include "mail/outcome.h"

namespace sternpost::spool_agent {

inline constexpr std::size_t kPieceBytes = 64 * 1024;
inline constexpr std::size_t kMaxFrame = 512 * 1024;

/// What an agent may have in hand: spool hands it no more, and takes no longer announcement in all frames of
/// InHand together.
inline constexpr std::size_t kMaxJobs = 20'000;
inline constexpr std::size_t kMaxRecipientsInHand = 1'000'000;
/// Content of jobs without an outcome, which waits in the agent's memory. What lies in files does not count.
inline constexpr std::size_t kMaxBytesInHand = 1UL << 30U;
/// Files of jobs without an outcome: descriptors of the agent.
inline constexpr std::size_t kMaxFilesInHand = 256;

/// Names a job on its channel; chosen by spool, never reused during spool's life. An agent that announces
/// jobs to a new spool keeps their numbers; spool's numbers start at a random 63-bit value, so none meet.
using JobId = std::uint64_t;

struct JobRecipient {
  std::uint32_t index = 0;
  mail::Mailbox address;
  static constexpr auto fields() { return std::tuple(&JobRecipient::index, &JobRecipient::address); }
};

/// Content ahead of its Job, where it is longer than one piece and in no file.
struct Piece {
  JobId job = 0;
  std::string bytes;
  static constexpr auto fields() { return std::tuple(&Piece::job, &Piece::bytes); }
};

/// Content in a file, from its first byte on.
struct ContentFile {
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;  ///< of all of it, as checksum() has it with the seed 0
  static constexpr auto fields() { return std::tuple(&ContentFile::bytes, &ContentFile::checksum); }
};

struct Job {
  JobId job = 0;
  QueueId id;
  WallTime arrival;
  mail::ReversePath reverse_path;
  std::vector<JobRecipient> recipients;
  std::string last_piece;
  std::string site = {};   ///< where to, by router's word: route::parse_site reads it where the agent is smtp
  bool eight_bit = false;  ///< BODY=8BITMIME was declared
  /// With a descriptor, without pieces, and with an empty last_piece.
  std::optional<ContentFile> file = std::nullopt;
  /// Of that file; not open where the agent had no room for it, which then defers the recipients.
  SharedFd descriptor = nullptr;
  static constexpr auto fields() {
    return std::tuple(&Job::job, &Job::id, &Job::arrival, &Job::reverse_path, &Job::recipients,
                      &Job::last_piece, &Job::site, &Job::eight_bit, &Job::file);
  }
};

/// The outcomes of these jobs are durable; the agent may forget them.
struct Recorded {
  std::vector<JobId> jobs;
  static constexpr auto fields() { return std::tuple(&Recorded::jobs); }
};

using ToAgent = std::variant<Piece, Job, Recorded>;

struct JobInHand {
  JobId job = 0;
  QueueId id;
  std::vector<std::uint32_t> recipients;
  static constexpr auto fields() {
    return std::tuple(&JobInHand::job, &JobInHand::id, &JobInHand::recipients);
  }
};

/// May be several frames, which end with the one that says so. At most kMaxJobs in all, with
/// kMaxRecipientsInHand.
struct InHand {
  std::vector<JobInHand> jobs;
  bool last = true;
  static constexpr auto fields() { return std::tuple(&InHand::jobs, &InHand::last); }
};

/// One outcome for every recipient of the job.
struct Outcome {
  JobId job = 0;
  std::vector<mail::RecipientOutcome> recipients;
  static constexpr auto fields() { return std::tuple(&Outcome::job, &Outcome::recipients); }
};

/// The file of the job could not be read, or is not what the Job says: too short, or of another checksum. No
/// recipient of the job has an outcome, and nothing was delivered. This ends the job; the agent forgets it,
/// and spool does not answer: a spool that did not hear it hands the job out again. Where some recipient has
/// an outcome already, the job ends with an Outcome instead, in which the others are deferred, and the next
/// job for them ends so.
struct Unreadable {
  static constexpr std::size_t kMaxWhy = 512;  ///< octets

  JobId job = 0;
  std::string why;
  /// No attempt will ever read it. Otherwise the disk failed for now, and spool hands the job out again.
  bool damaged = true;
  static constexpr auto fields() {
    return std::tuple(&Unreadable::job, &Unreadable::why, &Unreadable::damaged);
  }
};

using FromAgent = std::variant<InHand, Outcome, Unreadable>;

}  // namespace sternpost::spool_agent
