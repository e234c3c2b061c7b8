#include "spool/packed_message.h"

#include <gtest/gtest.h>

#include <limits>

namespace sternpost::spool {
namespace {

constexpr Place kData{300, 12U << 20U, 300, 4096, 200};

Message deferred(std::uint32_t recipients) {
  Message message{kData, kData, MessageState(recipients, false), {301}};
  std::vector<mail::RecipientOutcome> outcomes;
  for (std::uint32_t i = 0; i < recipients; ++i) {
    outcomes.push_back({i,
                        mail::Disposition::deferred,
                        {451, {4, 7, 1}, std::string(100, 'x')},
                        WallTime{1'800'000'000'000'000},
                        "mx.example.org [192.0.2.1]"});
  }
  message.state.apply(outcomes);
  message.state.leave_texts_in({301, 12U << 20U});
  return message;
}

void expect_round_trip(const Message& message) {
  const PackedMessage packed(message);
  EXPECT_EQ(packed.unpack(), message);
  EXPECT_EQ(PackedMessage::parse(packed.bytes()), message);
}

TEST(packed_message, gives_back_what_was_packed) {
  expect_round_trip({kData, kData, MessageState(1, false), {}, 0});
  expect_round_trip({kData, {7, 4096, 100, 0, 80}, MessageState(3, true), {1, 2, 3}, 0});
  expect_round_trip(deferred(3));
}

TEST(packed_message, gives_back_how_long_a_content_file_is) {
  const Message message{kData, {7, 4096, 100, 0, 80}, MessageState(3, true), {1}, 5'000'000'000};
  expect_round_trip(message);
  EXPECT_EQ(PackedMessage(message).outline().content_bytes(), 5'000'000'000U);
  EXPECT_EQ(PackedMessage(message).outline().envelope.slot, 7U);
}

TEST(packed_message, gives_back_texts_that_are_in_memory) {
  Message message{kData, kData, MessageState(5, false), {}, 0};
  message.state.warned = true;
  message.state.apply(std::vector<mail::RecipientOutcome>{
      {1, mail::Disposition::failed, {550, {5, 1, 1}, "no such user"}, WallTime{5}, "mx.example.org"},
      {4, mail::Disposition::delivered, {250, {2, 0, 0}, "done"}, WallTime{6}}});
  expect_round_trip(message);
  EXPECT_EQ(PackedMessage(message).unpack().state.find(1)->last.remote, "mx.example.org");
}

TEST(packed_message, gives_back_the_largest_numbers) {
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  constexpr auto kMostOfStatus = std::numeric_limits<std::uint16_t>::max();
  const Attempted last{kMost,
                       {.recipient = kMost - 1,
                        .disposition = mail::Disposition::bounced,
                        .reply = {kMostOfStatus, {255, kMostOfStatus, kMostOfStatus}, {}},
                        .attempted = WallTime{std::numeric_limits<std::int64_t>::min()}},
                       {kMost, kMost},
                       kMost};
  const Place far{kMost, kMost, kMost, kMost, kMost};
  expect_round_trip({far,
                     kData,
                     *MessageState::from(kMost, true, true, {last}),
                     {kMost},
                     std::numeric_limits<std::uint64_t>::max()});
}

TEST(packed_message, is_not_read_from_bytes_that_are_cut_short_or_followed_by_more) {
  const PackedMessage packed(deferred(3));
  const std::string bytes(packed.bytes());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(PackedMessage::parse(bytes.substr(0, size))) << size;
  }
  EXPECT_FALSE(PackedMessage::parse(bytes + '\0'));
  EXPECT_FALSE(PackedMessage::parse(std::string(100, '\xff'))) << "a number without end";
}

TEST(packed_message, takes_few_bytes) {
  EXPECT_LE(PackedMessage({kData, kData, MessageState(1, false), {}, 0}).bytes().size(), 20U);
  EXPECT_LE(PackedMessage(deferred(1)).bytes().size(), 56U);
  constexpr std::uint32_t kMany = 1000;
  EXPECT_LE(PackedMessage(deferred(kMany)).bytes().size(), 56U + kMany * 28);
}

}  // namespace
}  // namespace sternpost::spool
