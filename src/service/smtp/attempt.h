// One job of the agent on its way: which recipients still want an attempt, and what became of the others.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "mail/content_source.h"
#include "protocol/smtp/client_delivery.h"
#include "route/site.h"
#include "runtime/agent/agent_desk.h"
#include "service/smtp/itinerary.h"

namespace sternpost::smtp_client {

/// What is told of one recipient once its outcome is durable.
struct Attempted {
  mail::Mailbox address;
  mail::RecipientOutcome outcome;
};

/// A job that was attempted; kept until its outcomes are recorded.
struct FinishedJob {
  spool_agent::JobId job = 0;
  QueueId id;
  mail::ReversePath reverse_path;
  std::string site;
  std::vector<Attempted> recipients;
  /// The dialogue with the last host, where not all were delivered.
  std::vector<std::string> dialogue;
};

spool_agent::Outcome to_outcome(const FinishedJob& job);

/// Pure but for measure(): the shell connects, delivers and tells.
class Attempt {
 public:
  Attempt(WaitingJob&& job, route::Site site, WallTime now);

  [[nodiscard]] const route::Site& site() const { return site_; }
  [[nodiscard]] const std::string& site_text() const { return finished_.site; }
  [[nodiscard]] spool_agent::JobId job() const { return finished_.job; }

  /// The addresses to try, in order.
  void set_itinerary(std::vector<Endpoint> endpoints);
  [[nodiscard]] bool has_itinerary() const { return planned_; }
  /// The next address to try; null where none is left.
  [[nodiscard]] const Endpoint* next_endpoint() const;
  void take_endpoint() { ++next_; }

  /// Reads all of the content once for what is to be declared of it, before anything is delivered. Blocks
  /// where it is in a file. An error where it cannot be had.
  Result<void> measure();

  /// What is still to be delivered.
  [[nodiscard]] smtp::Delivery delivery() const;
  /// Its content, by one at a time. Not after take_finished().
  [[nodiscard]] mail::ContentSource& content() { return *content_; }
  [[nodiscard]] bool done() const { return open_.empty(); }

  /// What came of that delivery at `endpoint`. Those whom another host may take stay open.
  void take_result(smtp::Finished&& result, const Endpoint& endpoint, std::vector<std::string> dialogue);
  /// The connection to `endpoint` came to this server itself: only hosts that are preferred to it may still
  /// have the mail. Where none was, it fails.
  void came_back(const Endpoint& endpoint);
  /// All that is open ends so, by our own word.
  void give_up(const mail::Reply& reply);
  /// The same with what the last host met with; there was one.
  void give_up_after_last();

  /// The content is not needed any more, and gone.
  [[nodiscard]] FinishedJob take_finished();

 private:
  void settle(std::size_t index, mail::Disposition disposition, mail::Reply reply, std::string remote);

  route::Site site_;
  std::unique_ptr<mail::ContentSource> content_;
  smtp::ContentFacts facts_;
  bool eight_bit_ = false;
  WallTime attempted_;
  std::vector<Endpoint> endpoints_;
  std::size_t next_ = 0;
  bool planned_ = false;
  std::vector<std::size_t> open_;  ///< into finished_.recipients
  mail::Reply last_trouble_;
  std::string last_remote_;
  FinishedJob finished_;
};

}  // namespace sternpost::smtp_client
