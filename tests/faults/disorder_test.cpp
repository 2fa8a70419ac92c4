// A stream as bad as they come: duplicates, events out of their order, late ones, records that are
// none. The generator knows what must become of each.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "faults/fault_test.h"
#include "scenario/service.h"
#include "stream/event_time.h"

namespace freshet {
namespace {

/// Lines in the order they come, and what must become of them.
struct Disordered {
  std::vector<std::string> lines;
  std::vector<std::string> accepted;   ///< ids
  std::set<std::size_t> late;          ///< line numbers, from 1
  std::set<std::size_t> dead_letters;  ///< line numbers, from 1
  std::size_t duplicates = 0;
  std::size_t reordered = 0;
};

enum class Fate { accepted, duplicate, late, dead_letter };

struct Line {
  std::size_t place = 0;
  Fate fate = Fate::accepted;
  std::string id;
  std::string text;
};

const std::vector<std::string> kPoison = {
    "no JSON at all",
    "{",
    "",  // an object with neither time nor id; see below
    R"({"id": "p", "at": "yesterday", "x": 1, "label": 1})",
    R"({"id": "p", "at": "2024-01-01T00:00:00Z", "x": {"deep": [1, 2]}, "label": 1})",
    R"({"id": "p", "at": "2999-01-01T00:00:00Z", "x": 1, "label": 1})",
    "{\"id\": \"\xff\xfe\", \"at\": \"2024-01-01T00:00:00Z\"}",
    R"({"at": "2024-01-01T00:00:00Z", "x": 1, "label": 1})",
};

/// An event every 30 s. 10 minutes of disorder are taken as they are, an hour more is allowed.
Disordered disordered(std::size_t events, std::uint64_t seed) {
  constexpr std::size_t kOrderly = 15;  // places within which order doesn't matter
  constexpr std::size_t kLate = 200;    // places after which an event comes too late
  const std::vector<std::string> all = served_events(events);
  KeyedGenerator draw(seed, 16);
  std::vector<Line> lines;
  Disordered made;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double what = draw.uniform();
    const std::string id = fmt::format("e{}", i);
    if (what < 0.02 && i + 2 * kLate < all.size()) {
      lines.push_back({i + kLate + draw.below(kLate), Fate::late, id, all[i]});
    } else if (what < 0.07) {
      lines.push_back({i + 1 + draw.below(kOrderly), Fate::accepted, id, all[i]});
      ++made.reordered;
    } else {
      lines.push_back({i, Fate::accepted, id, all[i]});
    }
    if (what > 0.95) {
      lines.push_back({i + draw.below(300), Fate::duplicate, id, all[i]});
      ++made.duplicates;
    }
    if (draw.uniform() < 0.001 || i == all.size() / 2) {
      const std::string& poison = kPoison[draw.below(kPoison.size())];
      lines.push_back({i, Fate::dead_letter, "", poison.empty() ? "{}" : poison});
    }
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.place < b.place; });
  for (const Line& line : lines) {
    made.lines.push_back(line.text);
    if (line.fate == Fate::accepted) made.accepted.push_back(line.id);
    if (line.fate == Fate::late) made.late.insert(made.lines.size());
    if (line.fate == Fate::dead_letter) made.dead_letters.insert(made.lines.size());
  }
  return made;
}

std::set<std::size_t> letter_lines(const std::string& workspace, const std::string& option) {
  std::set<std::size_t> lines;
  const Outcome outcome =
      freshet_program("events dead-letters --json -n 1000000 " + option + " -w " + workspace);
  std::istringstream in(outcome.out);
  for (std::string line; std::getline(in, line);) {
    lines.insert(nlohmann::json::parse(line).at("line").get<std::size_t>());
  }
  return lines;
}

class Disorder : public FaultTest {
 protected:
  static std::string strict_config() {
    nlohmann::json strict = nlohmann::json::parse(served_config());
    strict["stream"]["out_of_orderness"] = "10m";
    strict["stream"]["allowed_lateness"] = "1h";
    return write("strict.json", strict.dump());
  }
  static Standing stands(const std::string& workspace, const Disordered& made) {
    const auto stats = freshet_program("events stats --json -w " + workspace).json();
    EXPECT_EQ(stats.at("accepted"), made.accepted.size());
    EXPECT_EQ(stats.at("duplicates"), made.duplicates);
    EXPECT_EQ(stats.at("late"), made.late.size());
    EXPECT_EQ(stats.at("dead_letters"), made.dead_letters.size());
    EXPECT_EQ(letter_lines(workspace, ""), made.dead_letters);
    EXPECT_EQ(letter_lines(workspace, "--late"), made.late);
    return judged(path("strict.json"), workspace, made.accepted);
  }
};

TEST_F(Disorder, OfAStreamIsCountedExactlyAndKilledOnTheWayToo) {
  Tally tally("duplicates 5%, reordered 5%, late 2%, bad .1%");
  const std::string strict = strict_config();
  std::size_t records = 0;
  for (std::size_t stream = 0; stream < tries(2, 30); ++stream) {
    const Disordered made = disordered(kEvents, fault_seed() + stream);
    EXPECT_GT(made.duplicates, kEvents / 25);
    EXPECT_GT(made.reordered, kEvents / 25);
    EXPECT_GT(made.late.size(), kEvents / 100);
    EXPECT_GT(made.dead_letters.size(), 0U);
    records += made.lines.size();
    const std::string file = write("disorder.jsonl", joined(made.lines, 0, made.lines.size()));
    const std::string workspace = path("w" + std::to_string(stream));
    const std::string arguments = "run " + strict + " -w " + workspace + " -i " + file;
    KeyedGenerator draw(fault_seed(), 17, stream);
    for (std::size_t kill = 0; stream % 2 == 1 && kill < 4; ++kill) {
      start_and_kill(arguments, 100 + static_cast<int>(draw.below(500)));
    }
    const Outcome outcome = freshet_program(arguments, "timeout 120");
    tally.add(outcome.code == 0 ? stands(workspace, made) : broken(outcome.err));
  }
  tally.note(fmt::format("{} records", records));
}

}  // namespace
}  // namespace freshet
