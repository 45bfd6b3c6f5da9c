// http-fuzz [--seconds N] [--seed N] [--replay]: random and mutated input for all that parses what clients send, and
// the topic's messages. A law that is broken ends it with 1 and the input; a trap leaves the number of the round, which
// --replay prints the input of.
import Glibc

var seconds = 60
var seed = UInt64(time(nil))
var replays = false
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
  switch argument {
  case "--seconds": seconds = arguments.popFirst().flatMap { Int($0) } ?? seconds
  case "--seed": seed = arguments.popFirst().flatMap { UInt64($0) } ?? seed
  case "--replay": replays = true
  default:
    print("usage: http-fuzz [--seconds N] [--seed N] [--replay]")
    exit(2)
  }
}

let corpus = try Corpus(folder: "Tests/HTTPFuzz/corpus")
let progress = try Progress(file: ".build/http-fuzz.progress")
/// Each round's input comes from a generator of its own, so that a single round can be repeated.
func input(_ round: UInt64, seed: UInt64, _ corpus: Corpus) -> (any Fuzzed, SeededRandom) {
  let kinds: [any Fuzzed.Type] = [
    FuzzedRequests.self, FuzzedChunks.self, FuzzedTarget.self, FuzzedFrames.self, FuzzedQuestion.self,
    FuzzedEvent.self,
  ]
  var random = SeededRandom(state: seed &* 0x9E37_79B9 &+ round)
  return (kinds[Int(round % UInt64(kinds.count))].init(corpus, &random), random)
}

if replays {
  let (seed, round) = progress.last
  var (input, random) = input(round, seed: seed, corpus)
  print("seed \(seed), round \(round), \(type(of: input))")
  print("input: \(String(decoding: input.bytes, as: UTF8.self).debugDescription)\nbytes: \(input.bytes)")
  print(input.brokenLaw(&random).map { "broken: \($0.law)" } ?? "no law is broken")
  exit(0)
}

let end = time(nil) + seconds
var round: UInt64 = 0
while time(nil) < end {
  progress.last = (seed, round)
  var (input, random) = input(round, seed: seed, corpus)
  if let broken = input.brokenLaw(&random) {
    print("seed \(seed), round \(round): \(broken.law)")
    print("input: \(String(decoding: broken.input, as: UTF8.self).debugDescription)")
    print("bytes: \(broken.input)")
    exit(1)
  }
  round += 1
}
print("http-fuzz: \(round) rounds in \(seconds) s, seed \(seed): all laws hold")
