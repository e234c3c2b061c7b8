#include "service/spool/spool_service.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "service/spool/replies.h"
#include "service/spool/views.h"

namespace sternpost::spool_service {
namespace {

constexpr Milliseconds kOutcomePatience{10};
constexpr Seconds kRetry{1};
/// Without a commit for this long, there is time to prepare for the next burst.
constexpr Milliseconds kRest{50};
/// Spares that must be there before the first message is taken, so that it does not wait for them.
constexpr std::uint64_t kSparesAtStart = 2;

spool::EngineOptions engine_options(const config::SpoolSlice& slice, std::uint64_t salt) {
  spool::EngineOptions options;
  options.segment_bytes = slice.segment_bytes;
  options.spare_segments = slice.spare_segments;
  options.max_message_bytes = slice.max_message_bytes;
  options.max_spool_bytes = slice.max_spool_bytes;
  options.min_free_bytes = slice.min_free_bytes;
  options.salt = salt;
  return options;
}

/// Of the descriptors, three quarters are left to segments and channels, and to files that are handed out.
IntakeLimits intake_limits(const config::SpoolSlice& slice, std::uint64_t max_descriptors) {
  return {slice.max_message_bytes, slice.max_buffered_bytes,
          std::min<std::size_t>(kMaxLargeAtOnce, max_descriptors / 4)};
}

Result<std::uint64_t> random_number() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof(number), 0) != sizeof(number)) return fail_errno("getting random bytes");
  return number;
}

Fact count(std::string name, std::uint64_t value) {
  return {std::move(name), std::to_string(value)};
}

}  // namespace

Result<std::unique_ptr<Service>> SpoolService::make(ServiceContext&& context) {
  const auto slice = decode<config::SpoolSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "the configuration slice is malformed");
  if (context.folders.size() != 2) return fail(ErrorClass::internal, "a folder of the queue is missing");
  const auto random = random_number();
  if (!random) return fail_with(Result<std::uint64_t>(random));
  std::vector<std::unique_ptr<spool::PosixDisk>> disks;
  disks.push_back(std::make_unique<spool::PosixDisk>(std::move(context.folders.front())));
  if (slice->own_deferred_folder) {
    disks.push_back(std::make_unique<spool::PosixDisk>(std::move(context.folders.back())));
  }
  auto service = std::make_unique<SpoolService>(std::move(context), *slice, std::move(disks), *random);
  if (auto opened = service->open(engine_options(*slice, *random)); !opened)
    return fail_with(std::move(opened));
  return service;
}

SpoolService::SpoolService(ServiceContext&& context, const config::SpoolSlice& slice,
                           std::vector<std::unique_ptr<spool::PosixDisk>> disks, std::uint64_t random)
    : context_(std::move(context)),
      slice_(slice),
      disks_(std::move(disks)),
      salt_(random),
      desk_(intake_limits(slice, context_.max_descriptors),
            [this](std::uint64_t bytes, std::uint64_t being_written) {
              return engine_->may_take_content(bytes, being_written);
            }),
      jobs_((random >> 1U) | 1U),
      work_at_end_(context_.loop,
                   [this] {
                     if (!gives_way()) work();
                   }),
      maintain_at_end_(context_.loop, [this] { maintain(); }),
      company_timer_(context_.loop),
      load_timer_(context_.loop),
      rest_timer_(context_.loop),
      retry_timer_(context_.loop),
      hand_timer_(context_.loop),
      addresses_timer_(context_.loop) {}

Result<void> SpoolService::open(const spool::EngineOptions& options) {
  const spool::Disks disks(*disks_.front(), disks_.size() > 1 ? disks_.back().get() : nullptr);
  auto engine = spool::Engine::open(disks, clock_, options);
  if (!engine) return fail_with(std::move(engine));
  engine_ = std::move(*engine);
  auto disk = disks_.front()->reopened();
  if (!disk) return fail_with(std::move(disk));
  contents_disk_ = std::make_unique<spool::PosixDisk>(std::move(*disk));
  auto contents = ContentThread::start(
      context_.loop, *contents_disk_,
      {[this](QueueId id, std::size_t bytes, const Result<void>& result) {
         content_written(id, bytes, result);
       },
       [this](QueueId id, Result<spool::ContentFile> file) { content_finished(id, std::move(file)); }});
  if (!contents) return fail_with(std::move(contents));
  contents_ = std::move(*contents);
  const auto& found = engine_->recovery();
  Record record;
  record.decision = Decision::recovered;
  record.facts = {count("segments", found.segments),      count("spares", found.spares),
                  count("groups", found.groups),          count("torn_tails", found.torn_tails),
                  count("messages", found.live),          count("quarantined", found.quarantined.size()),
                  count("orphans", found.orphans.size()), count("bytes_read", found.bytes_read)};
  record.facts.push_back({"from", found.from_checkpoint ? "checkpoint" : "all of the log"});
  if (!found.no_checkpoint.empty()) record.facts.push_back({"no_checkpoint", found.no_checkpoint});
  record.outcome =
      found.quarantined.empty() ? "the queue is whole" : "parts of the queue are damaged and kept";
  context_.records.record(std::move(record));
  for (const auto& damage : found.quarantined) {
    Record one;
    one.decision = Decision::recovered;
    one.id = damage.id;
    one.facts = {{"file", damage.file}, count("offset", damage.offset), count("bytes", damage.length)};
    one.outcome = damage.why;
    context_.records.record(std::move(one));
  }
  remove_discarded();
  while (engine_->stats().spares < kSparesAtStart) {
    const auto more = engine_->maintain();
    if (!more || !*more) break;  // a full disk refuses mail, and is no reason not to deliver what is there
  }
  maintain_at_end_.schedule();
  return {};
}

void SpoolService::peer(Compartment row, std::uint32_t, UniqueFd socket) {
  ++peers_seen_;
  switch (row) {
    case Compartment::virtual_mailbox:
    case Compartment::smtp:
      connect_agent(row, std::move(socket));
      break;
    case Compartment::bounce:
      connect_bounce(std::move(socket));
      break;
    case Compartment::qmgr:
      connect_qmgr(std::move(socket));
      break;
    case Compartment::admin:
      connect_admin(std::move(socket));
      break;
    default:
      connect_intake(row, std::move(socket));
      break;
  }
  work_at_end_.schedule();
}

void SpoolService::schedule_commit() {
  if (queue_.urgent()) {
    work_at_end_.schedule();
  } else if (!queue_.empty() && !std::exchange(company_waiting_, true)) {
    company_timer_.expires_after(kOutcomePatience);
    company_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;  // what was waited for is done, and others may wait already
      company_waiting_ = false;
      work();
    });
  }
}

/// Processes that are ready to run go first, and what they send shares the sync.
bool SpoolService::gives_way() {
  if (!queue_.urgent() || !company_.gives_way()) return false;
  const auto before = std::chrono::steady_clock::now();
  std::this_thread::yield();
  company_.gave_way(std::chrono::steady_clock::now() - before);
  work_at_end_.schedule();
  return true;
}

void SpoolService::work() {
  if (!queue_.empty() && (queue_.urgent() || !company_waiting_)) {
    company_waiting_ = false;
    company_timer_.cancel();
    ++commits_;
    upkeep_ = spool::Upkeep::pressing;
    const auto before = std::chrono::steady_clock::now();
    auto settled = queue_.run(*engine_);
    company_.committed(std::chrono::steady_clock::now() - before);
    answer(std::move(settled));
    remove_discarded();
    note_pressure();
    tell_load();
    maintain_at_end_.schedule();
  }
  answer_committed();
  answer_leases();
  answer_pull();
  answer_addresses();
  hand_orders();
  if (queue_.retrying() || !asked_leases_.empty() || pull_failed_ || !unread_addresses_.empty())
    retry_later();
}

void SpoolService::retry_later() {
  if (std::exchange(retry_waiting_, true)) return;
  retry_timer_.expires_after(kRetry);
  retry_timer_.async_wait([this](const boost::system::error_code& error) {
    retry_waiting_ = false;
    if (error) return;
    pull_failed_ = false;
    retry_addresses();
    maintain_at_end_.schedule();
    work();
  });
}

/// One bounded step of what should be ready before it is needed, whenever the loop has run what was ready.
void SpoolService::maintain() {
  const auto more = engine_->maintain(upkeep_);
  if (more && *more) {
    maintain_at_end_.schedule();
  } else if (more && upkeep_ == spool::Upkeep::pressing) {
    await_rest();
  } else if (!more) {
    note_trouble(more.error());
    retry_later();
  }
  note_pressure();
}

void SpoolService::note_trouble(const Error& trouble) {
  if (trouble.text == last_trouble_) return;
  last_trouble_ = trouble.text;
  Record record;
  record.decision = Decision::pressure;
  record.outcome = last_trouble_;
  context_.records.record(std::move(record));
}

/// What is not pressing is done when no commit was made for a while.
void SpoolService::await_rest() {
  if (std::exchange(rest_waiting_, true)) return;
  rest_timer_.expires_after(kRest);
  rest_timer_.async_wait([this, before = commits_](const boost::system::error_code& error) {
    rest_waiting_ = false;
    if (error) return;
    if (commits_ != before) return await_rest();
    upkeep_ = spool::Upkeep::all;
    maintain_at_end_.schedule();
  });
}

void SpoolService::note_pressure() {
  const auto may = engine_->may_take_messages();
  if (may.has_value() != intake_is_closed_) return;
  intake_is_closed_ = !may;
  Record record;
  record.decision = Decision::pressure;
  record.facts = {{"intake", intake_is_closed_ ? "closed" : "open"}};
  record.outcome = may ? "new messages are taken again" : may.error().text;
  context_.records.record(std::move(record));
}

void SpoolService::answer(std::vector<Settled>&& settled) {
  std::map<ChannelId, spool_intake::Committed> committed;
  std::map<ChannelId, spool_agent::Recorded> recorded;
  std::vector<spool_qmgr::RecordedMessage> outcomes;
  for (auto& one : settled) {
    const auto id = std::visit([](const auto& op) { return op.id; }, one.op);
    if (auto* outcome = std::get_if<spool::RecordOutcomes>(&one.op); outcome != nullptr && one.result) {
      outcomes.push_back({id, outcome->outcomes});
    }
    if (!engine_->contains(id)) read_failures_.forget(id);
    std::visit(Overloaded{[&](const ByIntake& by) {
                            if (one.result) {
                              ++messages_;
                              committed[by.channel].ids.push_back(id);
                            } else if (const auto at = intakes_.find(by.channel); at != intakes_.end()) {
                              at->second->send(spool_intake::NotCommitted{id, reply_for(one.result.error())});
                            }
                          },
                          [&](const ByAgent& by) {
                            jobs_.finish(by.job);
                            recorded[by.channel].jobs.push_back(by.job);
                            if (!one.result) reopen(std::get<spool::RecordOutcomes>(one.op));
                          },
                          [](const ByQmgr&) {}, [&](const ByBounce& by) { answer_bounce(by, one); },
                          [&](const ByAdmin& by) { answer_admin(by, one); },
                          [&](const BySpool&) {
                            setting_aside_.erase(id);
                            if (one.result && qmgr_) qmgr_->send(spool_qmgr::HoldChanged{id, true});
                          }},
               one.origin);
    note_envelope(one);
  }
  for (const auto& [channel, frame] : committed) {
    if (const auto at = intakes_.find(channel); at != intakes_.end()) at->second->send(frame);
  }
  for (const auto& [channel, frame] : recorded) {
    if (const auto at = agents_.find(channel); at != agents_.end()) at->second.channel->send(frame);
  }
  if (!qmgr_) return;
  for (const auto& frame : recorded_frames(outcomes)) qmgr_->send(frame);
}

void SpoolService::note_envelope(Settled& settled) {
  if (auto* added = std::get_if<spool::AddMessage>(&settled.op)) {
    if (settled.result && qmgr_) fresh_envelopes_.keep(added->id, std::move(added->envelope));
  } else if (const auto* replaced = std::get_if<spool::ReplaceEnvelope>(&settled.op)) {
    fresh_envelopes_.forget(replaced->id);
  }
}

void SpoolService::drain(bool) {
  draining_ = true;
  company_waiting_ = false;
  company_timer_.cancel();
  end_when_drained();
}

void SpoolService::end_when_drained() {
  work();
  if (!behind_content_.empty()) return;
  if (auto written = engine_->write_checkpoint(); !written) note_trouble(written.error());
  context_.exit();
}

Result<void> SpoolService::new_slice(std::string_view encoded, bool commit) {
  const auto slice = decode<config::SpoolSlice>(encoded);
  if (!slice) return fail(ErrorClass::internal, "the slice for spool is malformed");
  const auto options = engine_options(*slice, salt_);
  if (auto checked = spool::check(options); !checked) return checked;
  if (slice->segment_bytes != slice_.segment_bytes) {
    return fail(ErrorClass::permanent, "spool.segment cannot change while the instance runs: restart it");
  }
  if (!commit) return {};
  slice_ = *slice;
  desk_.set_limits(intake_limits(*slice, context_.max_descriptors));
  maintain_at_end_.schedule();
  return engine_->reconfigure(options);
}

std::vector<control::Counter> SpoolService::counters() {
  const auto stats = engine_->stats();
  return {{"messages", messages_},
          {"commits", commits_},
          {"groups", stats.log.groups},
          {"syncs", stats.log.syncs},
          {"bytes_written", stats.log.bytes_written},
          {"disk_failures", stats.log.failures},
          {"live", stats.live},
          {"finished_kept", stats.finished},
          {"segments", stats.segments},
          {"spares", stats.spares},
          {"quarantined", stats.quarantined},
          {"recycled", stats.log.segments_reset},
          {"checkpoints", stats.checkpoints},
          {"bytes", stats.bytes},
          {"jobs_in_hand", jobs_.jobs()},
          {"notices_in_hand", notices_.size()},
          {"buffered", desk_.buffered_bytes()},
          {"content_bytes", stats.content_bytes},
          {"contents_in_hand", contents_->unanswered()}};
}

}  // namespace sternpost::spool_service
