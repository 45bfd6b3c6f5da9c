/// Request targets that two readers could understand differently.
package enum RefusedTarget {
  package static let all: [String] = [
    "", "a", "/..", "/../x", "/x/..", "/x/../y", "/./x", "/.", "/x/.", "/%2e%2e%2fx", "/%2e%2e/x",
    "/.%2E/x", "/%2e",
    "//", "//x", "/x//y", "/x//", "/%2f", "/x%2Fy", "/%5c", "/x\\y", "/\\..\\x", "/%00", "/x%00.json",
    "/%0a", "/%0D",
    "/%7f", "/%1f", "/%c0%af", "/%c0%ae%c0%ae/", "/%e0%80%af", "/%ed%a0%80", "/%ff", "/%f5%80%80%80",
    "/%80", "/%c3",
    "/%", "/%4", "/%zz", "/%4g", "/x%", "/a#b", "/#", "/a?b#c", "/a b", "/a\tb", "/<x>", "/\"", "/é",
    "/a?é", "/a?b c",
    "http://", "http:///x", "http://u@h/", "http://u:p@h/x", "http://h:x/", "http://h:99999/",
    "http://[::1/",
    "ftp://h/", "http:/x", "http:x", "h:80", "*", "?", "http://h/../x", "http://h//x", "http://h/%2e",
    "http://a b/",
  ]
}
