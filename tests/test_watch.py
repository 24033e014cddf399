from dass_ray.watch import Prefixed


class Heard(list):
    def phase(self, name, total):
        self.append((name, total))

    def step(self, done, note):
        self.append((done, note))


def test_prefixed_phases_have_longer_names():
    heard = Heard()
    watcher = Prefixed(heard, "round 2 of 3: ")
    watcher.phase("distilling", 4)
    watcher.step(1, "first")
    assert heard == [("round 2 of 3: distilling", 4), (1, "first")]
