// The power fails. What SQLite does to the files of a log, and of a row store, is recorded; then,
// for each moment, the files are made as a disk may hold them that kept what was synced and, of
// what was not, all, nothing, or any part. What was acknowledged by then must be there, and nothing
// else.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numeric>

#include "faults/recording_disk.h"
#include "faults/tally.h"
#include "scenario/program.h"
#include "stream/error.h"
#include "stream/event_log.h"
#include "stream/row_store.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;

/// In memory where there is such a folder: these tests sync what nobody needs thousands of times.
class MemoryFolder {
 public:
  MemoryFolder() : folder_(fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path()) {
    folder_ /= "freshet-power-" + std::to_string(::getpid());
    clear();
  }
  ~MemoryFolder() { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string clear() const {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    return folder_.string();
  }

 private:
  fs::path folder_;
};

/// What was acknowledged when so many operations were done.
struct Acknowledged {
  std::size_t operations = 0;
  std::size_t steps = 0;
};

/// A store that is written in numbered steps, each acknowledged once it is durable.
struct Subject {
  std::string fault;
  /// Writes all steps into a folder, calling `each` after every one.
  std::function<void(const std::string&, const std::function<void()>& each)> write;
  /// Opens what was found after `steps` were acknowledged; what is wrong, or nothing.
  std::function<std::string(const std::string&, std::size_t steps)> check;
};

void cut_at_all_moments(const Subject& subject, std::size_t most) {
  using Survivor = Disk::Survivor;
  const MemoryFolder folder;
  std::vector<Acknowledged> acknowledged = {{}};
  std::vector<DiskOperation> operations;
  {
    const Recording recording;
    subject.write(folder.clear(), [&] {
      acknowledged.push_back({Recording::count(), acknowledged.size()});
    });
    operations = Recording::operations();
  }
  Tally tally(subject.fault);
  tally.note(
      fmt::format("{} writes and syncs, {} commits", operations.size(), acknowledged.size() - 1));
  KeyedGenerator draw(fault_seed(), 10);
  constexpr Survivor kWays[] = {Survivor::all,  Survivor::none, Survivor::some,
                                Survivor::torn, Survivor::some, Survivor::torn};
  const double share = static_cast<double>(most) / static_cast<double>(operations.size() * 6);
  Disk disk;
  std::size_t steps = 0;
  for (std::size_t at = 0; at < operations.size(); ++at) {
    disk.apply(operations[at]);
    while (steps + 1 < acknowledged.size() && acknowledged[steps + 1].operations <= at + 1) ++steps;
    for (const Survivor way : kWays) {
      if (draw.uniform() >= share) continue;
      disk.cut_power(way, draw, folder.clear());
      const std::string wrong = subject.check(folder.path(""), steps);
      tally.add(wrong.empty(), fmt::format("after operation {} of {}, {} steps acknowledged: {}",
                                           at, operations.size(), steps, wrong));
    }
  }
}

constexpr std::size_t kBatch = 40;

std::string record_of(std::uint64_t position) {
  return "\x02record " + std::to_string(position) + std::string(position % 201, '.');
}

LogBatch batch_of(std::size_t step) {
  LogBatch batch;
  for (std::size_t i = 0; i < kBatch; ++i) batch.records.push_back(record_of(step * kBatch + i));
  batch.dead_letters.push_back({"in", step, std::string(step % 500, 'x'), "bad", 0});
  batch.progress.push_back(
      {"in", "identity", (step + 1) * 1000, (step + 1) * (kBatch + 1), "", ""});
  return batch;
}

std::string check_log(const std::string& folder, std::size_t acknowledged) {
  try {
    const auto log = EventLog::open(folder + "log.db", "schema");
    const std::size_t steps = log->head() / kBatch;
    // The one that was under way may be there, as a whole.
    if (log->head() % kBatch != 0 || steps < acknowledged || steps > acknowledged + 1) {
      return fmt::format("found head {}", log->head());
    }
    std::uint64_t next = 0;
    std::uint64_t wrong = 0;
    log->read(0, log->head(), [&](std::uint64_t, std::string_view record) {
      wrong += record == record_of(next++) ? 0 : 1;
      return true;
    });
    if (wrong != 0 || next != log->head()) return fmt::format("{} records differ", wrong);
    const auto progress = log->progress("in");
    if ((progress ? progress->offset : 0) != steps * 1000) return "the progress is another step's";
    const IngestCounts counts = log->counts();
    if (counts.accepted != steps * kBatch || counts.dead_letters != steps ||
        log->dead_letters(1'000'000).size() != steps) {
      return "the counts are another step's";
    }
    log->append(batch_of(steps));  // it goes on
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(PowerCut, LeavesEachAcknowledgedAppendInTheLogAndNoneTwice) {
  const std::size_t steps = tries(30, 600);
  cut_at_all_moments({"power cut, event log",
                      [&](const std::string& folder, const auto& each) {
                        auto log = EventLog::open(folder + "/log.db", "schema");
                        for (std::size_t step = 0; step < steps; ++step) {
                          log->append(batch_of(step));
                          each();
                          // Now and then it is closed, which moves its write-ahead log.
                          if (step % 11 != 10) continue;
                          log.reset();
                          log = EventLog::open(folder + "/log.db", "schema");
                        }
                      },
                      check_log},
                     tries(400, 12'000));
}

constexpr std::size_t kWidth = 5;
constexpr std::size_t kQuestionsAStep = 300;  // of chunks of 1,024: some steps fill one

std::vector<float> vector_of(std::uint64_t question) {
  std::vector<float> vector(kWidth);
  std::iota(vector.begin(), vector.end(), static_cast<float>(question));
  return vector;
}

void add_questions(RowStore& store, std::size_t step) {
  for (std::size_t i = 0; i < kQuestionsAStep; ++i) {
    const std::uint64_t question = step * kQuestionsAStep + i;
    const std::vector<float> vector = vector_of(question);
    const std::span<const float> vectors[] = {vector};
    store.ask(question, static_cast<Millis>(question), vectors);
  }
}

std::string check_rows(const std::string& folder, std::size_t acknowledged) {
  try {
    const auto store = RowStore::open(folder + "rows.db", {{"v", kWidth}});
    const std::uint64_t least = acknowledged * kQuestionsAStep;
    if (store->questions() < least) return fmt::format("found {} questions", store->questions());
    store->cut(least, 0);  // as an owner does at its start
    std::vector<float> found(kWidth);
    for (std::uint64_t question = 0; question < least; ++question) {
      store->read_vectors(0, question, question + 1, found.data());
      if (found != vector_of(question) || store->position(question) != question) {
        return fmt::format("question {} differs", question);
      }
    }
    add_questions(*store, acknowledged);  // it goes on
    store->flush();
    store->sync();
    return store->verify().empty() ? "" : store->verify().front();
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(PowerCut, LeavesTheRowsThatWereSyncedInTheirFile) {
  const std::size_t steps = tries(12, 60);
  cut_at_all_moments({"power cut, rows",
                      [&](const std::string& folder, const auto& each) {
                        const auto store = RowStore::open(folder + "/rows.db", {{"v", kWidth}});
                        for (std::size_t step = 0; step < steps; ++step) {
                          add_questions(*store, step);
                          store->flush();
                          store->sync();
                          each();
                        }
                      },
                      check_rows},
                     tries(200, 6'000));
}

}  // namespace
}  // namespace freshet
