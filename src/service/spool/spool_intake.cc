// What intakes ask of spool, and admin.
#include <algorithm>

#include "service/spool/replies.h"
#include "service/spool/spool_service.h"
#include "service/spool/views.h"

namespace sternpost::spool_service {

void SpoolService::connect_intake(Compartment row, UniqueFd socket) {
  const auto channel = next_channel_++;
  intakes_[channel] = std::make_unique<IntakeChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_intake::kMaxFrame}, context_.traffic,
      IntakeChannel::Handlers{
          [this, channel](spool_intake::ToSpool&& frame) { return from_intake(channel, std::move(frame)); },
          [this, channel, row](const Error& why) {
            context_.channel_closed(row, why, false);
            intake_closed(channel);
          }});
  // Also where there is none: it may have heard of some from the spool before this one.
  intakes_[channel]->send(pressure_);
}

void SpoolService::intake_closed(ChannelId channel) {
  for (const auto id : desk_.closed(channel)) contents_->remove(id);
  std::erase_if(asked_leases_, [&](const auto& asked) { return asked.first == channel; });
  intakes_.erase(channel);
}

Result<void> SpoolService::from_intake(ChannelId channel, spool_intake::ToSpool&& frame) {
  return std::visit(
      Overloaded{[&](spool_intake::Lease& lease) { return take_lease(channel, lease); },
                 [&](spool_intake::Piece& piece) { return take_piece(channel, std::move(piece)); },
                 [&](spool_intake::Abandon& abandon) { return take_abandon(channel, abandon); },
                 [&](spool_intake::Commit& commit) { return take_commit(channel, std::move(commit)); },
                 [&](spool_intake::IsCommitted& question) -> Result<void> {
                   // Answered at the end of the turn: commits that were sent before it have been read by
                   // then.
                   ask_committed(channel, question.id);
                   return {};
                 }},
      frame);
}

void SpoolService::ask_committed(ChannelId channel, QueueId id) {
  asked_committed_.emplace_back(channel, id);
  work_at_end_.schedule();
}

/// Of those that are not decided yet when they are.
void SpoolService::answer_committed() {
  for (const auto& [channel, id] : std::exchange(asked_committed_, {})) {
    const auto at = intakes_.find(channel);
    if (at == intakes_.end()) continue;
    if (const auto waits = behind_content_.find(id); waits != behind_content_.end()) {
      waits->second.asked.insert(channel);
    } else {
      at->second->send(spool_intake::CommitState{id, engine_->was_committed(id)});
    }
  }
}

Result<void> SpoolService::take_piece(ChannelId channel, spool_intake::Piece&& piece) {
  const auto step = desk_.take(channel, piece);
  if (!step) return std::unexpected(step.error());
  if (step->write) contents_->write(piece.id, std::move(piece.bytes));
  if (step->remove_file) contents_->remove(piece.id);
  if (step->taken) intakes_.at(channel)->send(*step->taken);
  return {};
}

Result<void> SpoolService::take_abandon(ChannelId channel, const spool_intake::Abandon& abandon) {
  const auto has_file = desk_.take(channel, abandon);
  if (!has_file) return std::unexpected(has_file.error());
  if (*has_file) contents_->remove(abandon.id);
  return {};
}

void SpoolService::content_written(QueueId id, std::size_t bytes, const Result<void>& result) {
  const auto told = desk_.written(id, bytes, result);
  if (!told) return;
  if (told->remove_file) contents_->remove(id);
  if (const auto at = intakes_.find(told->channel); at != intakes_.end()) at->second->send(told->taken);
}

void SpoolService::commit_behind_content(spool::AddMessage message, const Origin& origin) {
  const auto id = message.id;
  contents_->finish(id, std::exchange(message.content, {}));
  behind_content_.emplace(id, BehindContent{std::move(message), origin, {}});
}

void SpoolService::content_finished(QueueId id, Result<spool::ContentFile> file) {
  auto node = behind_content_.extract(id);
  auto& [message, origin, asked] = node.mapped();
  desk_.finished(id);
  for (const auto channel : asked) ask_committed(channel, id);
  const bool durable = file.has_value();
  if (durable) {
    message.file = *file;
    queue_.add(std::move(message), origin);
  } else {
    std::vector<Settled> settled;
    settled.push_back({std::move(message), origin, fail_with(std::move(file))});
    answer(std::move(settled));
  }
  if (draining_) return end_when_drained();
  durable ? schedule_commit() : work_at_end_.schedule();
}

void SpoolService::remove_discarded() {
  for (const auto id : engine_->take_discarded()) contents_->remove(id);
}

Result<void> SpoolService::take_commit(ChannelId channel, spool_intake::Commit&& commit) {
  const auto id = commit.id;
  commit.envelope.arrival = not_later_than_now(commit.envelope.arrival);
  if (queue_.adds(id) || behind_content_.contains(id) || engine_->was_committed(id)) {
    return fail(ErrorClass::peer, "queue id " + to_string(id) + " was committed twice");
  }
  auto taken = desk_.take(channel, std::move(commit));
  if (!taken) return fail_with(std::move(taken));
  if (const auto* refused = std::get_if<IntakeDesk::Refused>(&*taken)) {
    if (refused->remove_file) contents_->remove(id);
    intakes_.at(channel)->send(spool_intake::NotCommitted{id, refused->reply});
    return {};
  }
  if (auto* large = std::get_if<IntakeDesk::Large>(&*taken)) {
    commit_behind_content(std::move(large->message), ByIntake{channel});
    return {};
  }
  queue_.add(std::get<spool::AddMessage>(std::move(*taken)), ByIntake{channel});
  schedule_commit();
  return {};
}

Result<void> SpoolService::take_lease(ChannelId channel, const spool_intake::Lease& lease) {
  if (lease.count == 0 || lease.count > spool_intake::kMaxLease) {
    return fail(ErrorClass::peer, "a lease of nothing, or of too much");
  }
  const auto pending =
      std::ranges::count(asked_leases_, channel, &std::pair<ChannelId, std::uint32_t>::first);
  constexpr int kMaxPending = 4;
  if (pending >= kMaxPending) return fail(ErrorClass::peer, "too many leases at once");
  asked_leases_.emplace_back(channel, lease.count);
  work_at_end_.schedule();
  return {};
}

void SpoolService::answer_leases() {
  auto asked = std::exchange(asked_leases_, {});
  for (const auto& [channel, count] : asked) {
    const auto at = intakes_.find(channel);
    if (at == intakes_.end()) continue;
    const auto first = engine_->lease(count);
    if (!first) {
      asked_leases_.emplace_back(channel, count);  // asked again when the disk works
      continue;
    }
    desk_.leased(channel, *first, count);
    maintain_at_end_.schedule();
    at->second->send(spool_intake::Leased{*first, count});
  }
}

void SpoolService::connect_admin(UniqueFd socket) {
  const auto channel = next_channel_++;
  admins_[channel] = std::make_unique<AdminChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_admin::kMaxFrame}, context_.traffic,
      AdminChannel::Handlers{
          [this, channel](const spool_admin::ToSpool& frame) { return from_admin(channel, frame); },
          [this, channel](const Error& why) {
            context_.channel_closed(Compartment::admin, why, false);
            admins_.erase(channel);
          }});
}

Result<void> SpoolService::from_admin(ChannelId channel, const spool_admin::ToSpool& frame) {
  auto& admin = *admins_.at(channel);
  std::visit(Overloaded{[&](const spool_admin::List& list) { admin.send(admin_list(*engine_, jobs_, list)); },
                        [&](const spool_admin::Show& show) {
                          spool_admin::Shown shown{show.request, {}};
                          if (auto entry = admin_entry(*engine_, jobs_, show.id))
                            shown.entry = std::move(*entry);
                          admin.send(shown);
                        },
                        [&](const spool_admin::Act& act) { take_act(channel, act); },
                        [&](const spool_admin::Count& count) {
                          admin.send(spool_admin::Counted{count.request, engine_->stats().live});
                        }},
             frame);
  return {};
}

void SpoolService::refuse_act(ChannelId channel, std::uint64_t request, std::string why) {
  if (const auto at = admins_.find(channel); at != admins_.end()) {
    at->second->send(spool_admin::Acted{request, std::move(why)});
  }
}

void SpoolService::take_act(ChannelId channel, const spool_admin::Act& act) {
  const auto message = engine_->find(act.id);
  if (!message) return refuse_act(channel, act.request, "there is no such message in the queue");
  const ByAdmin by{channel, act.request, act.action, act.uid};
  switch (act.action) {
    case spool_admin::Action::hold:
      queue_.add(spool::Hold{act.id}, by);
      break;
    case spool_admin::Action::release:
      queue_.add(spool::Release{act.id}, by);
      break;
    case spool_admin::Action::remove:
      if (jobs_.in_hand(act.id)) {
        return refuse_act(channel, act.request, "it is being delivered now; hold it and try again");
      }
      queue_.add(spool::removal_of(act.id, message->state, "deleted by the administrator", wall_now()), by);
      break;
  }
  schedule_commit();
}

void SpoolService::answer_admin(const ByAdmin& by, const Settled& settled) {
  if (!settled.result) return refuse_act(by.channel, by.request, settled.result.error().text);
  refuse_act(by.channel, by.request, {});  // nothing is refused
  const auto id = std::visit([](const auto& op) { return op.id; }, settled.op);
  if (by.action == spool_admin::Action::remove) return record_act(Decision::deleted, id, by.uid);
  const bool held = by.action == spool_admin::Action::hold;
  if (!held && setting_aside_.erase(id) > 0) queue_.drop_own_hold(id);
  if (!held && stepped_over_.erase(id) > 0) {
    pull_again_.push_back(id);
    work_at_end_.schedule();
  } else if (qmgr_) {
    qmgr_->send(spool_qmgr::HoldChanged{id, held});
  }
  record_act(held ? Decision::held : Decision::released, id, by.uid);
}

void SpoolService::record_act(Decision decision, QueueId id, std::uint32_t uid) {
  Record record;
  record.decision = decision;
  record.id = id;
  record.facts = {{"uid", std::to_string(uid)}};
  record.outcome = "by the administrator";
  context_.records.record(std::move(record));
}

}  // namespace sternpost::spool_service
