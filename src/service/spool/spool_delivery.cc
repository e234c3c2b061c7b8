// What qmgr orders and agents report.
#include <algorithm>
#include <chrono>

#include "service/spool/spool_service.h"
#include "service/spool/views.h"

namespace sternpost::spool_service {
namespace {

/// Bytes that may wait for an agent before it is handed more.
constexpr std::size_t kMaxWaiting = 8UL << 20U;
constexpr Milliseconds kHandAgain{5};
/// Orders that are passed over in one go because the agent has no room for them.
constexpr std::size_t kMostPassed = 100;
constexpr Seconds kLoadInterval{1};
constexpr std::size_t kMaxOrders = 1UL << 20U;
/// Recipients of one order, and octets of its site.
constexpr std::size_t kMaxOrderRecipients = 1000;
constexpr std::size_t kLongestSite = 16UL * 1024;

Compartment row_of(spool_qmgr::Agent agent) {
  switch (agent) {
    case spool_qmgr::Agent::smtp:
      return Compartment::smtp;
    case spool_qmgr::Agent::virtual_mailbox:
      break;
  }
  return Compartment::virtual_mailbox;
}

}  // namespace

void SpoolService::connect_agent(Compartment row, UniqueFd socket) {
  const auto channel = next_channel_++;
  agents_[channel].row = row;
  // Content that goes through the channel is in the log, and so smaller than half a segment, whatever limit a
  // reload sets.
  const FrameLimits limits{
      .max_frame = spool_agent::kMaxFrame,
      .max_unsent = 2 * (kMaxWaiting + slice_.segment_bytes / 2 + spool_agent::kMaxFrame)};
  agents_[channel].channel = std::make_unique<AgentChannel>(
      context_.loop, std::move(socket), limits, context_.traffic,
      AgentChannel::Handlers{
          [this, channel](spool_agent::FromAgent&& frame) { return from_agent(channel, std::move(frame)); },
          [this, channel, row](const Error& why) {
            context_.channel_closed(row, why, false);
            agent_closed(channel);
          }});
}

Result<void> SpoolService::from_agent(ChannelId channel, spool_agent::FromAgent&& frame) {
  auto& agent = agents_.at(channel);
  if (auto* in_hand = std::get_if<spool_agent::InHand>(&frame)) {
    if (agent.announced) return fail(ErrorClass::peer, "a second InHand");
    if (auto taken = jobs_.announce(channel, *in_hand, [this](QueueId id) { return content_load(id); });
        !taken)
      return taken;
    agent.announced = in_hand->last;
    work_at_end_.schedule();
    return {};
  }
  if (!agent.announced) return fail(ErrorClass::peer, "an outcome before InHand");
  if (auto* unreadable = std::get_if<spool_agent::Unreadable>(&frame)) {
    return take_unreadable(channel, std::move(*unreadable));
  }
  return take_outcome(channel, std::get<spool_agent::Outcome>(std::move(frame)));
}

/// What an agent cannot read is treated as what we cannot read, so that nobody delivers a part of it.
Result<void> SpoolService::take_unreadable(ChannelId channel, spool_agent::Unreadable&& unreadable) {
  if (unreadable.why.size() > spool_agent::Unreadable::kMaxWhy) {
    return fail(ErrorClass::peer, "a reason without end");
  }
  auto job = jobs_.give_back(channel, unreadable.job);
  if (!job) return fail_with(std::move(job));
  const auto kind = unreadable.damaged ? ErrorClass::permanent : ErrorClass::temporary;
  not_read(job->id, Error{kind, EIO, std::move(unreadable.why)});
  not_handed(job->id, std::move(job->recipients));
  work_at_end_.schedule();  // there is room for another
  return {};
}

Result<void> SpoolService::take_outcome(ChannelId channel, spool_agent::Outcome&& outcome) {
  for (auto& one : outcome.recipients) one.attempted = not_later_than_now(one.attempted);
  const auto id = jobs_.report(channel, outcome);
  if (!id) return fail_with(Result<QueueId>(id));
  // What an earlier spool recorded without being able to say so is not open any more.
  const auto message = engine_->find(*id);
  std::erase_if(outcome.recipients, [&](const mail::RecipientOutcome& one) {
    return !message || !message->state.is_open(one.recipient);
  });
  read_failures_.forget(*id);
  if (outcome.recipients.empty()) {
    jobs_.finish(outcome.job);
    agents_.at(channel).channel->send(spool_agent::Recorded{{outcome.job}});
    work_at_end_.schedule();  // there is room for another
    return {};
  }
  queue_.add(spool::RecordOutcomes{*id, std::move(outcome.recipients)}, ByAgent{channel, outcome.job});
  schedule_commit();
  return {};
}

void SpoolService::agent_closed(ChannelId channel) {
  for (auto& job : jobs_.closed(channel)) not_handed(job.id, std::move(job.recipients));
  agents_.erase(channel);
  work_at_end_.schedule();
}

void SpoolService::connect_qmgr(UniqueFd socket) {
  forget_qmgr();
  qmgr_ = std::make_unique<QmgrChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_qmgr::kMaxFrame}, context_.traffic,
      QmgrChannel::Handlers{[this](spool_qmgr::ToSpool&& frame) { return from_qmgr(std::move(frame)); },
                            [this](const Error& why) {
                              context_.channel_closed(Compartment::qmgr, why, false);
                              forget_qmgr();
                              qmgr_.reset();
                            }});
  // It has none until it says so.
  press({});
  load_told_ = {};
  tell_load();
}

/// About once a second: pressure need not be known sooner. Nobody wakes up for it alone, but while there is
/// pressure: with intakes closed, nothing else may ever happen that shows its end.
void SpoolService::tell_load() {
  const auto now = std::chrono::steady_clock::now();
  if (!qmgr_) return;
  if (pressure_.level != queue::PressureLevel::none) {
    load_timer_.expires_after(kLoadInterval);
    load_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) tell_load();
    });
  }
  if (now - load_told_ < kLoadInterval) return;
  load_told_ = now;
  constexpr std::uint64_t kBytesOfMessage = 200;
  const auto stats = engine_->stats();
  qmgr_->send(spool_qmgr::Load{stats.live, stats.live * kBytesOfMessage + desk_.buffered_bytes(),
                               stats.needed_bytes, slice_.max_spool_bytes});
}

Result<void> SpoolService::take_pressure(const spool_qmgr::Pressure& pressure) {
  constexpr std::size_t kLongestCause = 512;
  if (pressure.cause.size() > kLongestCause) return fail(ErrorClass::peer, "a cause without end");
  press({pressure.level, pressure.cause});
  tell_load();
  return {};
}

void SpoolService::press(spool_intake::Pressure pressure) {
  pressure_ = std::move(pressure);
  for (const auto& [channel, intake] : intakes_) intake->send(pressure_);
}

/// A new qmgr knows nothing of what an earlier one ordered, asked and decided, and may come to another end.
void SpoolService::forget_qmgr() {
  orders_.clear();
  pull_.reset();
  pull_failed_ = false;
  asked_addresses_.clear();
  unread_addresses_.clear();
  stepped_over_.clear();
  pull_again_.clear();
  queue_.drop_decisions();
  fresh_envelopes_.clear();
}

Result<void> SpoolService::from_qmgr(spool_qmgr::ToSpool&& frame) {
  return std::visit(
      Overloaded{[&](const spool_qmgr::Pull& pull) -> Result<void> {
                   if (pull_) return fail(ErrorClass::peer, "a second Pull before the answer");
                   if (pull.max == 0) return fail(ErrorClass::peer, "a Pull of nothing");
                   pull_ = pull;
                   work_at_end_.schedule();
                   return {};
                 },
                 [&](spool_qmgr::Orders& orders) { return take_orders(std::move(orders)); },
                 [&](spool_qmgr::Tell& tell) { return take_tell(std::move(tell)); },
                 [&](const spool_qmgr::Pressure& pressure) { return take_pressure(pressure); },
                 [&](const spool_qmgr::GetAddresses& asked) { return take_get_addresses(asked); },
                 [&](spool_qmgr::Decided& decided) { return take_decided(std::move(decided)); }},
      frame);
}

Result<void> SpoolService::take_orders(spool_qmgr::Orders&& orders) {
  if (orders.orders.size() > spool_qmgr::kMaxBatch) return fail(ErrorClass::peer, "too many orders at once");
  for (auto& order : orders.orders) {
    if (order.recipients.size() > kMaxOrderRecipients || order.site.size() > kLongestSite) {
      return fail(ErrorClass::peer, "an order for too many recipients, or to a site without end");
    }
    auto& queue = orders_[row_of(order.agent)];
    if (queue.size() >= kMaxOrders) return fail(ErrorClass::peer, "too many orders");
    queue.push_back(std::move(order));
  }
  work_at_end_.schedule();
  return {};
}

Result<void> SpoolService::take_decided(spool_qmgr::Decided&& decided) {
  for (auto& one : decided.recipients) one.attempted = not_later_than_now(one.attempted);
  const auto message = engine_->find(decided.id);
  if (!message) return {};  // removed meanwhile; Recorded is on its way
  std::erase_if(decided.recipients, [&](const mail::RecipientOutcome& one) {
    return !message->state.is_open(one.recipient) || jobs_.in_hand(decided.id, one.recipient);
  });
  if (decided.recipients.empty()) return {};
  if (auto checked = message->state.check(decided.recipients); !checked) {
    return fail(ErrorClass::peer, checked.error().text);
  }
  queue_.add(spool::RecordOutcomes{decided.id, std::move(decided.recipients)}, ByQmgr{});
  schedule_commit();
  return {};
}

/// Until each agent that was there at the start has said what it has in hand, nobody may be told what is
/// open.
bool SpoolService::agents_are_known() const {
  return peers_seen_ >= context_.initial_peers &&
         std::ranges::all_of(agents_, [](const auto& entry) { return entry.second.announced; });
}

void SpoolService::answer_pull() {
  if (!pull_ || !qmgr_ || pull_failed_ || !agents_are_known()) return;
  spool_qmgr::Pulled pulled{{}, pull_->after};
  std::size_t bytes = 0;
  for (; !pull_again_.empty() && bytes < kFrameTarget && !pull_failed_; pull_again_.pop_front()) {
    pull_failed_ = !append_pulled(pulled, pull_again_.front(), bytes);
    if (pull_failed_) break;
  }
  bool more = true;
  while (more && !pull_failed_ && bytes < kFrameTarget && pulled.messages.size() < pull_->max) {
    const auto found = engine_->messages_after(pulled.position, spool_qmgr::kMaxBatch);
    more = found.size() == spool_qmgr::kMaxBatch;
    for (const auto& [position, id] : found) {
      if (bytes >= kFrameTarget || pulled.messages.size() >= pull_->max) break;
      pull_failed_ = !append_pulled(pulled, id, bytes);
      if (pull_failed_) break;
      pulled.position = position;
    }
  }
  if (pulled.messages.empty()) {
    pull_->after = pulled.position;
    return;
  }
  pull_.reset();
  qmgr_->send(pulled);
}

/// Passes over what cannot be read for good. Temporary where the disk fails.
Result<void> SpoolService::append_pulled(spool_qmgr::Pulled& pulled, QueueId id, std::size_t& bytes) {
  if (!engine_->contains(id)) return {};
  auto fresh = fresh_envelopes_.take(id);
  auto envelope = fresh ? Result<mail::Envelope>(std::move(*fresh)) : engine_->read_envelope(id);
  if (envelope) {
    read_failures_.forget(id);
    pulled.messages.push_back(pulled_message(*engine_, jobs_, id, std::move(*envelope)));
    bytes += encode(pulled.messages.back()).size();
    return {};
  }
  if (!step_over(id, envelope.error())) return fail_with(std::move(envelope));
  set_aside(id, envelope.error());
  stepped_over_.insert(id);
  return {};
}

/// Whether a message that could not be read is to be left alone. What the disk fails at for now is tried
/// again; what it fails at every time must not stop all that comes behind it.
bool SpoolService::step_over(QueueId id, const Error& why) {
  if (why.what_to_do != ErrorClass::temporary) return true;
  if (!spool::is_unreadable(why)) return false;
  return is_held(id) || read_failures_.exhausted(id, std::chrono::steady_clock::now());
}

bool SpoolService::is_held(QueueId id) const {
  const auto message = engine_->outline(id);
  return setting_aside_.contains(id) || (message && message->held);
}

/// A message that cannot be read must not be tried for ever, nor forgotten: it is held and reported.
void SpoolService::set_aside(QueueId id, const Error& why) {
  if (!engine_->contains(id) || is_held(id)) return;
  setting_aside_.insert(id);
  Record record;
  record.decision = Decision::held;
  record.id = id;
  record.rule.name = "unreadable message";
  record.outcome = "it cannot be read: " + why.text;
  context_.records.record(std::move(record));
  queue_.add(spool::Hold{id}, BySpool{});
  schedule_commit();
}

/// The same of one that qmgr had chosen, unless it is to be tried again.
void SpoolService::not_read(QueueId id, const Error& why) {
  if (!step_over(id, why)) return;
  set_aside(id, why);
  // Before it is durable: ordered once more, it would only hold up its destination.
  if (qmgr_) qmgr_->send(spool_qmgr::HoldChanged{id, true});
}

void SpoolService::hand_orders() {
  bool more = false;
  for (auto& [row, orders] : orders_) more = hand_orders(row, orders) || more;
  if (!more) return;
  hand_timer_.expires_after(kHandAgain);
  hand_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) hand_orders();
  });
}

ContentLoad SpoolService::content_load(QueueId id) const {
  const auto message = engine_->outline(id);
  if (!message) return {};
  return message->file_bytes > 0 ? ContentLoad(0, 1) : ContentLoad(message->data.content_bytes);
}

/// To the newest agent of the row, as fast as it takes them and as much as it may have in hand: what does not
/// fit lets others pass, and is looked at again when an outcome is recorded. True where some are left that
/// the channel will take soon.
bool SpoolService::hand_orders(Compartment row, OrderQueue& orders) {
  const auto newest = std::find_if(agents_.rbegin(), agents_.rend(), [&](const auto& entry) {
    return entry.second.row == row && entry.second.announced;
  });
  if (newest == agents_.rend()) return false;
  const auto& [channel, agent] = *newest;
  std::size_t passed = 0;
  while (passed < std::min(orders.size(), kMostPassed) && agent.channel->unsent() < kMaxWaiting) {
    auto order = std::move(orders.front());
    orders.pop_front();
    if (jobs_.has_room(channel, order.recipients.size(), content_load(order.id))) {
      hand(channel, order);
    } else {
      orders.push_back(std::move(order));
      ++passed;
    }
  }
  return passed < std::min(orders.size(), kMostPassed);
}

void SpoolService::hand(ChannelId channel, const spool_qmgr::Order& order) {
  const auto message = engine_->find(order.id);
  if (!message) return;
  auto recipients = order.recipients;
  std::ranges::sort(recipients);
  recipients.erase(std::ranges::unique(recipients).begin(), recipients.end());
  std::erase_if(recipients,
                [&](std::uint32_t i) { return !message->state.is_open(i) || jobs_.in_hand(order.id, i); });
  if (recipients.empty()) return;
  if (is_held(order.id)) return not_handed(order.id, std::move(recipients));
  spool_agent::Job job;
  job.id = order.id;
  std::string content;
  auto envelope = engine_->read_envelope(order.id);
  const auto has_content = put_content(job, content);
  if (!envelope || !has_content) {
    not_read(order.id, envelope ? has_content.error() : envelope.error());
    return not_handed(order.id, std::move(recipients));
  }
  if (!job.file) read_failures_.forget(order.id);  // it is the agent who reads a file
  job.arrival = envelope->arrival;
  job.reverse_path = std::move(envelope->reverse_path);
  job.site = order.site;
  job.eight_bit = envelope->eight_bit;
  for (const auto i : recipients) job.recipients.push_back({i, envelope->recipients[i]});
  job.job = jobs_.hand(channel, order.id, std::move(recipients), content_load(order.id));
  auto& agent = *agents_.at(channel).channel;
  std::string_view rest = content;
  for (; rest.size() > spool_agent::kPieceBytes; rest.remove_prefix(spool_agent::kPieceBytes)) {
    agent.send(spool_agent::Piece{job.job, std::string(rest.substr(0, spool_agent::kPieceBytes))});
  }
  job.last_piece = rest;
  agent.send(job);
}

/// The content itself, or a descriptor of its file.
Result<void> SpoolService::put_content(spool_agent::Job& job, std::string& content) {
  const auto message = engine_->outline(job.id);
  if (!message || message->file_bytes == 0) {
    auto read = engine_->read_content(job.id);
    if (!read) return fail_with(std::move(read));
    content = std::move(*read);
    return {};
  }
  const auto file = engine_->content_file(job.id);
  if (!file) return std::unexpected(file.error());
  if (!*file) return fail(ErrorClass::permanent, "its record does not say what its content file is");
  auto descriptor = disks_.front()->open_descriptor(spool::content_name(job.id));
  if (!descriptor) return fail_with(std::move(descriptor));
  job.file = spool_agent::ContentFile{(*file)->bytes, (*file)->checksum};
  job.descriptor = to_shared(std::move(*descriptor));
  return {};
}

/// Outcomes that do not apply: those of the recipients that are open nevertheless are to be had again.
void SpoolService::reopen(const spool::RecordOutcomes& refused) {
  const auto message = engine_->find(refused.id);
  if (!message) return;
  std::vector<std::uint32_t> open;
  for (const auto& outcome : refused.outcomes) {
    if (message->state.is_open(outcome.recipient)) open.push_back(outcome.recipient);
  }
  not_handed(refused.id, std::move(open));
}

void SpoolService::not_handed(QueueId id, std::vector<std::uint32_t> recipients) {
  if (qmgr_ && !recipients.empty()) qmgr_->send(spool_qmgr::NotHanded{id, std::move(recipients)});
}

}  // namespace sternpost::spool_service
