#include "service/smtp/host_memory.h"

#include <gtest/gtest.h>

namespace sternpost::smtp_client {
namespace {

TEST(HostMemory, ForgetsAFailureAfterItsLifeOrWhenTheHostIsReached) {
  HostMemory memory;
  const HostMemory::Time now{};
  EXPECT_FALSE(memory.is_down("a", now));
  memory.failed("a", now);
  memory.failed("b", now);
  EXPECT_TRUE(memory.is_down("a", now));
  EXPECT_FALSE(memory.is_down("c", now));
  memory.reached("a");
  EXPECT_FALSE(memory.is_down("a", now));
  EXPECT_TRUE(memory.is_down("b", now + HostMemory::kLife - std::chrono::seconds(1)));
  EXPECT_FALSE(memory.is_down("b", now + HostMemory::kLife));
}

TEST(HostMemory, ForgetsWhatIsOldBeforeItForgetsAll) {
  HostMemory memory;
  const HostMemory::Time now{};
  for (std::size_t i = 1; i < HostMemory::kMax; ++i) memory.failed(std::to_string(i), now);
  const auto later = now + HostMemory::kLife;
  memory.failed("recent", later - std::chrono::seconds(1));
  memory.failed("new", later);
  EXPECT_TRUE(memory.is_down("recent", later)) << "what was old made room";
  for (std::size_t i = 0; i < HostMemory::kMax; ++i) memory.failed(std::to_string(i), later);
  EXPECT_FALSE(memory.is_down("recent", later)) << "nothing was old, and the bound holds";
}

}  // namespace
}  // namespace sternpost::smtp_client
