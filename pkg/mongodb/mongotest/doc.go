// Package mongotest gives each test a database of its own on a real engine.
//
//	func TestMain(m *testing.M) { mongotest.Main(m) }
//
//	func TestLease(t *testing.T) {
//		t.Parallel()
//		db := mongotest.Database(t) // empty, dropped when the test ends
//		...
//	}
//
// The engines are those of TEST_MONGODB_URI and TEST_REDIS_URL, which "make
// test" and "dev with-engines" set. When one is missing (somebody runs "go
// test" in a module), the package builds tools/dev into the repository's bin
// folder and starts the embedded engines, once for each test binary. They end
// when the test binary does, however it ends.
//
// Redis has no databases to hand out: tests share [RedisURL] and keep apart by
// starting their keys and channels with [Name].
package mongotest
