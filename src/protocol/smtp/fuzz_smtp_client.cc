// A client against any server. The first octets choose how the client is set up, what it sends and how the
// server's octets are cut; among those, some stand for events.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "protocol/smtp/client.h"

using namespace sternpost;
using namespace sternpost::smtp;

namespace {

constexpr char kTimeout = 1;
constexpr char kDisconnect = 2;
constexpr char kQuit = 3;
constexpr char kHold = 4;     ///< from now on nothing is written
constexpr char kRelease = 5;  ///< and now it is
constexpr char kLose = 6;     ///< content that is wanted cannot be had
constexpr std::size_t kPiece = 16;
constexpr std::size_t kMaxCommand = 1024;
constexpr unsigned kDeliveries = 3;

void require(bool holds) {
  if (!holds) std::abort();
}

class Session {
 public:
  Session(std::uint8_t setup, std::string content) : content_(std::move(content)) {
    limits_.helo = "client.example.net";
    limits_.protocol = (setup & 1U) != 0 ? ClientProtocol::lmtp : ClientProtocol::smtp;
    limits_.max_unwritten = (setup & 2U) != 0 ? 64 : 4096;
    limits_.max_pipelined_recipients = (setup & 4U) != 0 ? 1 : 100;
    limits_.max_transactions = 3;
    recipients_ = 1 + ((setup >> 3U) & 7U);
  }

  void run(std::string_view octets, std::size_t cut) {
    begin();
    client_.connected();
    after();
    while (!octets.empty() && !client_.closing()) {
      const auto event = octets.front() <= kLose && octets.front() >= kTimeout;
      const auto next =
          std::find_if(octets.begin() + 1, octets.end(), [](char c) { return c >= kTimeout && c <= kLose; });
      const auto most =
          event ? 1 : std::min<std::size_t>(cut, static_cast<std::size_t>(next - octets.begin()));
      if (event) {
        happen(octets.front());
      } else {
        client_.feed(octets.substr(0, most));
      }
      octets.remove_prefix(most);
      after();
    }
    client_.disconnected();
    after();
    require(client_.closing() && client_.output().empty() && begun_ == finished_);
  }

 private:
  void begin() {
    Delivery delivery;
    for (std::size_t i = 0; i < recipients_; ++i) {
      delivery.recipients.push_back(
          mail::Mailbox::from_wire("r" + std::to_string(i) + "@example.org").value());
    }
    ContentMeter meter;
    meter.add(content_);
    delivery.facts = meter.facts();
    sent_.clear();
    client_.begin(std::move(delivery));
    ++begun_;
  }

  void happen(char event) {
    if (event == kTimeout) client_.timed_out();
    if (event == kDisconnect) client_.disconnected("reset");
    if (event == kQuit) client_.quit();
    if (event == kLose) client_.content_lost("lost");
    if (event == kHold || event == kRelease) holding_ = event == kHold;
  }

  void after() {
    require(client_.output().size() <=
            limits_.max_unwritten + std::max(2 * kPiece + ContentWriter::kMaxEnd, kMaxCommand));
    require(client_.patience().has_value() == (client_.waiting_for() != "nothing"));
    do {
      give();
      if (!holding_) write();
      finish();
    } while (!holding_ && !client_.output().empty());
  }

  void give() {
    while (const auto wanted = client_.wanted_content()) {
      const auto octets = std::string_view(content_).substr(*wanted, kPiece);
      client_.give_content(octets, *wanted + octets.size() == content_.size());
    }
  }

  void write() {
    while (!client_.output().empty()) {
      sent_ += std::exchange(client_.output(), {});
      client_.written();
      give();
    }
    for (std::size_t i = 0; i < sent_.size(); ++i) {
      if (sent_[i] == '\r') require(i + 1 < sent_.size() && sent_[i + 1] == '\n');
      if (sent_[i] == '\n') require(i > 0 && sent_[i - 1] == '\r');
    }
  }

  void finish() {
    auto finished = client_.take_finished();
    if (!finished) return;
    ++finished_;
    require(begun_ == finished_ && finished->recipients.size() == recipients_);
    for (const auto& result : finished->recipients) check(result);
    require(client_.transcript().size() <= Transcript::kFirstLines + Transcript::kLastLines + 1);
    if (client_.idle() && begun_ < kDeliveries) begin();
  }

  void check(const RecipientResult& result) {
    const auto& reply = result.reply;
    require(reply.code >= 200 && reply.code <= 599 && reply.status.status_class == reply.code / 100);
    require(reply.text.size() <= ReplyReader::kMaxText && std::ranges::all_of(reply.text, is_printable));
    const bool answered = result.scope == Scope::answer;
    const auto disposition = result.disposition;
    require(answered || disposition == mail::Disposition::deferred);
    if (disposition == mail::Disposition::delivered) require(reply.code / 100 == 2);
    if (disposition == mail::Disposition::failed) require(reply.permanent());
    // Nobody has the message, or may have it, unless all of it was sent.
    if (disposition == mail::Disposition::delivered || result.scope == Scope::unknown) {
      require(sent_.find(".\r\n") != std::string::npos);
    }
  }

  std::string content_;
  ClientLimits limits_;
  Client client_{limits_};
  std::size_t recipients_ = 1;
  std::string sent_;  ///< since the delivery began
  bool holding_ = false;
  unsigned begun_ = 0;
  unsigned finished_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::size_t cut = std::size_t{1} << (data[1] % 12U);
  std::string_view input(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto content = input.substr(0, data[2]);
  input.remove_prefix(content.size());
  Session session(data[0], std::string(content));
  session.run(input, cut);
  return 0;
}
