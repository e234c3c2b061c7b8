// How long a group that could be committed waits for company.
#pragma once

#include <algorithm>
#include <chrono>

namespace sternpost::spool_service {

/// Before a commit, turns are given to other processes that are ready to run: what they send shares the sync.
/// One turn is always given, for that costs nothing where nobody is ready. More are given while somebody was,
/// for as long as the last commit took, so that nobody waits more than twice for the disk; where the
/// processor idles, waiting brings nothing and ends at once. After Hagmann, "Reimplementing the Cedar File
/// System Using Logging and Group Commit", 1987: what a sync costs is shared by those that come meanwhile.
class Company {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// A turn in which nobody else ran is shorter than this.
  static constexpr Duration kNobodyRan = std::chrono::microseconds(10);
  /// Of a disk that is slow, no more is waited for.
  static constexpr Duration kMost = std::chrono::milliseconds(2);

  /// Whether one more turn is to be given away before the commit.
  [[nodiscard]] bool gives_way() const { return !tried_ || (somebody_ran_ && waited_ < patience_); }
  void gave_way(Duration turn) {
    tried_ = true;
    somebody_ran_ = turn >= kNobodyRan;
    waited_ += turn;
  }
  void committed(Duration commit) { *this = Company(std::min(commit, kMost)); }

  Company() = default;

 private:
  explicit Company(Duration patience) : patience_(patience) {}

  Duration patience_{};
  Duration waited_{};
  bool tried_ = false;
  bool somebody_ran_ = false;
};

}  // namespace sternpost::spool_service
