#include "stream/open_source.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <filesystem>

#include "stream/error.h"
#include "tests/stream/text_input.h"

namespace freshet {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kHeader = "id,t,x,c,y\n";

std::string row(int number) {
  return "e" + std::to_string(number) + "," + std::to_string(number) + ",1,c,1\n";
}

std::string rows(int begin, int end) {
  std::string bytes;
  for (int i = begin; i < end; ++i) bytes += row(i);
  return bytes;
}

std::string event(int number) {
  return "event e" + std::to_string(number) + " " + std::to_string(number) + " 1 c =1";
}

class OpenSource : public TextInputTest {
 protected:
  std::string gzip(const std::string& name, const std::string& bytes) const {
    const std::string path = write(name, "");
    gzFile file = gzopen(path.c_str(), "ab");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path;
  }

  std::unique_ptr<Source> resume(const InputSpec& spec, const SourceProgress& from) const {
    return open_source(spec, schema, from);
  }
};

TEST_F(OpenSource, GoesOnWhereItStoppedWhateverTheRecord) {
  const std::string path =
      write("a.csv", "\xEF\xBB\xBF" + kHeader + rows(0, 5) + "bad\n\n" + rows(5, 9));
  const auto whole = read_all(*open(path));
  ASSERT_THAT(whole, SizeIs(10));
  for (std::size_t stop = 0; stop <= whole.size(); ++stop) {
    const auto first = open(path);
    auto records = stop == 0 ? std::vector<std::string>() : read_some(*first, stop);
    const auto second = resume({.name = path}, first->progress()[0]);
    for (const std::string& record : read_all(*second, 2)) records.push_back(record);
    EXPECT_EQ(records, whole) << "stopped after " << stop;
    EXPECT_EQ(second->progress()[0].records, 10U);
  }
}

TEST_F(OpenSource, NothingIsNewAfterTheEnd) {
  const std::string path = write("a.csv", kHeader + rows(0, 3));
  const auto first = open(path);
  read_all(*first);
  const auto second = resume({.name = path}, first->progress()[0]);
  EXPECT_THAT(read_all(*second), IsEmpty());
  EXPECT_EQ(second->progress(), first->progress());
}

TEST_F(OpenSource, GrownFileKeepsItsIdentityAndGoesOn) {
  const std::string path = write("a.csv", kHeader + rows(0, 3));
  const auto first = open(path);
  read_all(*first);
  append(path, rows(3, 2000));
  const auto second = resume({.name = path}, first->progress()[0]);
  EXPECT_THAT(read_all(*second), SizeIs(1997));
  const auto third = resume({.name = path}, second->progress()[0]);
  EXPECT_THAT(read_all(*third), IsEmpty());
}

TEST_F(OpenSource, ReplacedOrCutFileIsRefused) {
  const std::string path = write("a.csv", kHeader + rows(0, 2000));
  const auto first = open(path);
  read_all(*first);
  const SourceProgress progress = first->progress()[0];
  write("a.csv", kHeader + rows(1, 2001));
  EXPECT_THAT(error_of(ErrorKind::conflict, [&] { resume({.name = path}, progress); }),
              AllOf(HasSubstr("a.csv"), HasSubstr("was replaced")));
  write("a.csv", kHeader + rows(0, 1500));
  EXPECT_THAT(error_of(ErrorKind::conflict, [&] { resume({.name = path}, progress); }),
              HasSubstr("was replaced"));
}

TEST_F(OpenSource, GzipIsReadByNameOrByItsFirstBytesAndResumed) {
  const std::string bytes = kHeader + rows(0, 30'000);
  const auto plain = read("a.csv", bytes);
  for (const std::string name : {"b.csv.gz", "b.csv", "b.gz"}) {
    const std::string path = gzip(name, bytes);
    EXPECT_EQ(read_all(*open(path)), plain) << name;
    const auto first = open(path);
    read_some(*first, 12'345);
    const auto second = resume({.name = path}, first->progress()[0]);
    EXPECT_THAT(read_all(*second), SizeIs(30'000 - 12'345)) << name;
  }
}

TEST_F(OpenSource, GzipMembersInARowAreOneStream) {
  const std::string path = gzip("a.csv.gz", kHeader + rows(0, 2));
  gzFile file = gzopen(path.c_str(), "ab");
  gzputs(file, rows(2, 4).c_str());
  gzclose(file);
  EXPECT_THAT(read_all(*open(path)), ElementsAre(event(0), event(1), event(2), event(3)));
}

TEST_F(OpenSource, CutGzipGivesItsWholeRecordsAndThenFails) {
  const std::string path = gzip("a.csv.gz", kHeader + rows(0, 5000));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 20);
  const auto source = open(path);
  Collected collected;
  EXPECT_THAT(error_of(ErrorKind::corrupt,
                       [&] {
                         while (source->poll(100, collected) == PollStatus::ready) {
                         }
                       }),
              AllOf(HasSubstr("a.csv.gz"), HasSubstr("too early")));
  EXPECT_GT(collected.records.size(), 1000U);
  for (std::size_t i = 0; i < collected.records.size(); ++i) {
    EXPECT_EQ(collected.records[i], event(static_cast<int>(i)));
  }
}

TEST_F(OpenSource, NameThatSaysGzipMustBeGzip) {
  const auto source = open(write("a.csv.gz", kHeader + row(0)));
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { read_all(*source); }), HasSubstr("gzip"));
}

TEST_F(OpenSource, FollowedFileIsWaitedForLineByLine) {
  const std::string path = write("a.csv", "");
  const auto source = open_source({.name = path, .follow = true}, schema, std::nullopt);
  EXPECT_THAT(read_all(*source), IsEmpty());
  append(path, "id,t,x");
  EXPECT_THAT(read_all(*source), IsEmpty());
  append(path, ",c,y\ne0,0,1,c,1\ne1,1");
  EXPECT_THAT(read_all(*source), ElementsAre(event(0)));
  append(path, ",1,c,1\n");
  EXPECT_THAT(read_all(*source), ElementsAre(event(1)));
  Collected none;
  EXPECT_EQ(source->poll(1, none), PollStatus::idle);
  const auto next = resume({.name = path}, source->progress()[0]);
  EXPECT_THAT(read_all(*next), IsEmpty());
}

TEST_F(OpenSource, FollowedFileThatIsReplacedStops) {
  const std::string path = write("a.csv", kHeader + row(0));
  const auto source = open_source({.name = path, .follow = true}, schema, std::nullopt);
  EXPECT_THAT(read_all(*source), ElementsAre(event(0)));
  std::filesystem::rename(path, path + ".1");
  write("a.csv", kHeader + row(7));
  EXPECT_THAT(error_of(ErrorKind::conflict, [&] { read_all(*source); }), HasSubstr("was replaced"));
}

TEST_F(OpenSource, StandardInputTellsItsFormatByItsFirstCharacter) {
  {
    StandardInput input("\n" + kHeader + rows(0, 2));
    EXPECT_THAT(read_all(*open("-")), ElementsAre(event(0), event(1)));
  }
  StandardInput input(R"({"id":"a","t":1,"x":2})");
  EXPECT_THAT(read_all(*open("-")), ElementsAre("event a 1 2 -"));
}

TEST_F(OpenSource, StandardInputWithoutIdsSkipsWhatWasRead) {
  schema.id_field.clear();
  const std::string header = "t,x,c,y\n";
  SourceProgress progress;
  {
    StandardInput input(header + "1,1,c,1\nbad\n");
    const auto source = open("-");
    EXPECT_THAT(read_all(*source), SizeIs(2));
    progress = source->progress()[0];
  }
  {
    StandardInput input(header + "1,1,c,1\nbad\n3,1,c,1\n");
    const auto source = resume({.name = "-"}, progress);
    EXPECT_EQ(source->progress()[0], progress);
    EXPECT_THAT(read_all(*source), ElementsAre("event  3 1 c =1"));
    EXPECT_EQ(source->progress()[0].records, 3U);
  }
  for (const std::string other : {"1,2,c,1\nbad\n3,1,c,1\n", "1,1,c,1\n"}) {
    StandardInput input(header + other);
    const auto source = resume({.name = "-"}, progress);
    EXPECT_THAT(error_of(ErrorKind::conflict, [&] { read_all(*source); }),
                AllOf(HasSubstr("standard input"), HasSubstr("differs")));
  }
}

TEST_F(OpenSource, StandardInputWithIdsIsReadAgain) {
  SourceProgress progress;
  {
    StandardInput input(kHeader + rows(0, 2));
    const auto source = open("-");
    read_all(*source);
    progress = source->progress()[0];
  }
  StandardInput input(kHeader + rows(1, 3));
  EXPECT_THAT(read_all(*resume({.name = "-"}, progress)), ElementsAre(event(1), event(2)));
}

TEST_F(OpenSource, UnknownFormatFolderAndMissingFileAreRefused) {
  const std::string path = write("a.txt", kHeader + row(0));
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { open(path); }), HasSubstr("--format"));
  EXPECT_THAT(read_all(*open_source({.name = path, .format = InputSpec::csv}, schema, {})),
              ElementsAre(event(0)));
  std::filesystem::create_directory(path + ".csv");
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { open(path + ".csv"); }), HasSubstr("folder"));
  EXPECT_THAT(error_of(ErrorKind::not_found, [&] { open(path + ".no.csv"); }),
              HasSubstr("a.txt.no.csv"));
}

class MergedLabels : public OpenSource {
 protected:
  MergedLabels() {
    schema.label.known = LabelKnown::later;
    events_ = write("events.csv", "id,t,x,c\na,10,1,c\nb,20,1,c\nbad\nc,30,1,c\n");
    labels_ = write("labels.csv", "id,label,time\na,1,20\nb,7,25\nc,0,90\n");
  }

  std::unique_ptr<Source> merged(const std::vector<SourceProgress>& from = {}) const {
    const auto progress = [&](std::size_t i) {
      return from.empty() ? std::nullopt : std::optional(from[i]);
    };
    return merge_sources(open_source({.name = events_}, schema, progress(0)),
                         open_source({.name = labels_, .labels_only = true}, schema, progress(1)),
                         schema);
  }

  std::string events_;
  std::string labels_;
};

TEST_F(MergedLabels, ComeInOrderOfEventTimeAfterEventsOfTheSameTime) {
  EXPECT_THAT(
      read_all(*merged()),
      ElementsAre("event a 10 1 c", "event b 20 1 c", HasSubstr("bad 4: "), "label a 20 =1",
                  HasSubstr("bad 3: label `y`: found \"7\""), "event c 30 1 c", "label c 90 =0"));
}

TEST_F(MergedLabels, GoOnFromTheProgressOfBothInputs) {
  const auto whole = read_all(*merged());
  for (std::size_t stop = 1; stop <= whole.size(); ++stop) {
    const auto first = merged();
    auto records = read_some(*first, stop);
    ASSERT_THAT(first->progress(), SizeIs(2));
    for (const std::string& record : read_all(*merged(first->progress()))) {
      records.push_back(record);
    }
    EXPECT_EQ(records, whole) << "stopped after " << stop;
  }
}

TEST_F(MergedLabels, NeedEventsWithTimesOfTheirOwn) {
  schema.time.form = TimeEvery{};
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { merged(); }), HasSubstr("event.time"));
}

TEST_F(MergedLabels, HeaderWithoutALabelIsRefused) {
  write("labels.csv", "id,lable,time\n");
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { read_all(*merged()); }),
              AllOf(HasSubstr("labels.csv"), HasSubstr("`y`")));
}

}  // namespace
}  // namespace freshet
