#include "service/spool/commit_queue.h"

#include <utility>

namespace sternpost::spool_service {
namespace {

/// So many outcomes need not wait for more.
constexpr std::size_t kCompany = 256;

bool is_patient(const Origin& origin) {
  return std::holds_alternative<ByAgent>(origin) || std::holds_alternative<ByQmgr>(origin) ||
         std::holds_alternative<ByBounce>(origin);
}

}  // namespace

void CommitQueue::add(spool::Op op, Origin origin) {
  const auto* message = std::get_if<spool::AddMessage>(&op);
  if (message != nullptr) added_.insert(message->id);
  const bool patient = is_patient(origin);
  ops_.push_back(std::move(op));
  origins_.push_back(origin);
  if (!patient || ops_.size() >= kCompany) urgent_ = true;
}

void CommitQueue::drop_decisions() {
  drop_if([](const spool::Op&, const Origin& origin) { return std::holds_alternative<ByQmgr>(origin); });
}

void CommitQueue::drop_own_hold(QueueId id) {
  drop_if([id](const spool::Op& op, const Origin& origin) {
    const auto* hold = std::get_if<spool::Hold>(&op);
    return hold != nullptr && hold->id == id && std::holds_alternative<BySpool>(origin);
  });
}

void CommitQueue::drop_if(const std::function<bool(const spool::Op&, const Origin&)>& unwanted) {
  std::vector<spool::Op> ops;
  std::vector<Origin> origins;
  const auto kept = std::exchange(kept_, 0);
  urgent_ = false;
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    if (unwanted(ops_[i], origins_[i])) continue;
    if (i < kept) {
      ++kept_;
    } else if (!is_patient(origins_[i])) {
      urgent_ = true;
    }
    ops.push_back(std::move(ops_[i]));
    origins.push_back(origins_[i]);
  }
  ops_ = std::move(ops);
  origins_ = std::move(origins);
  if (ops_.size() > kept_ && ops_.size() >= kCompany) urgent_ = true;
}

std::vector<Settled> CommitQueue::run(spool::Engine& engine) {
  auto ops = std::exchange(ops_, {});
  const auto origins = std::exchange(origins_, {});
  added_.clear();
  urgent_ = false;
  kept_ = 0;
  auto results = engine.commit(ops);
  std::vector<Settled> settled;
  settled.reserve(ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const bool kept = std::holds_alternative<ByAgent>(origins[i]) ||
                      std::holds_alternative<ByQmgr>(origins[i]) ||
                      std::holds_alternative<BySpool>(origins[i]);
    if (kept && !results[i] && results[i].error().what_to_do != ErrorClass::permanent) {
      ops_.push_back(std::move(ops[i]));
      origins_.push_back(origins[i]);
      ++kept_;
    } else {
      settled.push_back({std::move(ops[i]), origins[i], std::move(results[i])});
    }
  }
  return settled;
}

}  // namespace sternpost::spool_service
