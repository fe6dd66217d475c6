//! What has been decided so far, seen from the frontier: the capabilities that decided and undecided
//! clauses share. Equal theories have equal futures, so each is followed once.
#![expect(clippy::indexing_slicing, reason = "places on the frontier lie below 64")]

/// Places of capabilities on the frontier.
pub(super) type Places = u64;

/// A clause longer than this among the places makes the theory too large to follow.
const CLAUSES_MAX: usize = 512;

/// What is held, and what would follow from what. Always closed: what follows is written down.
#[derive(Clone, Debug, Default)]
pub(super) struct Theory {
    /// Capabilities held for certain.
    held: Places,
    /// For each place, what follows from it alone.
    follows: Vec<Places>,
    /// Clauses that need two or more places.
    joint: Vec<(Places, u8)>,
}

/// More clauses than can be followed.
#[derive(Debug)]
pub(super) struct TooLarge;

impl Theory {
    /// A theory of this many places, with nothing decided.
    pub(super) fn new(places: usize) -> Self {
        Self { held: 0, follows: vec![0; places], joint: Vec::new() }
    }

    /// Reads a theory from its key; the places in use are `active`.
    pub(super) fn read(&mut self, key: &[u64], active: Places) {
        self.held = key[0];
        self.follows.fill(0);
        self.joint.clear();
        let mut at = 1;
        for place in bits(active) {
            self.follows[place] = key[at];
            at += 1;
        }
        for pair in key[at..].chunks_exact(2) {
            #[expect(clippy::cast_possible_truncation, reason = "written from a `u8`")]
            self.joint.push((pair[0], pair[1] as u8));
        }
    }

    /// The same as a key that is equal for equal theories.
    pub(super) fn write(&mut self, active: Places, key: &mut Vec<u64>) {
        key.push(self.held);
        key.extend(bits(active).map(|place| self.follows[place]));
        self.joint.sort_unstable();
        self.joint.dedup();
        for (body, head) in &self.joint {
            key.extend([*body, u64::from(*head)]);
        }
    }

    /// Whether this is held.
    pub(super) fn holds(&self, place: u8) -> bool {
        self.held >> place & 1 == 1
    }

    /// What is held.
    pub(super) fn held(&self) -> Places {
        self.held
    }

    /// Places from which `target` follows, alone or with others, and the target itself.
    pub(super) fn leading_to(&self, target: u8) -> Places {
        let mut leading = 1 << target;
        loop {
            let mut next = leading;
            for (place, follows) in self.follows.iter().enumerate() {
                if follows & leading != 0 {
                    next |= 1 << place;
                }
            }
            for (body, head) in &self.joint {
                if leading >> head & 1 == 1 {
                    next |= body;
                }
            }
            if next == leading {
                return leading;
            }
            leading = next;
        }
    }

    /// Adds a decided clause and all that follows from it.
    pub(super) fn add(&mut self, body: Places, head: u8) -> Result<(), TooLarge> {
        let mut queue = vec![(body, head)];
        while let Some((body, head)) = queue.pop() {
            let body = body & !self.held;
            if self.holds(head) || body >> head & 1 == 1 || self.is_implied(body, head) {
                continue;
            }
            match body.count_ones() {
                0 => self.hold(head, &mut queue),
                1 => self.imply(body.trailing_zeros() as usize, head, &mut queue),
                _ => self.join(body, head, &mut queue),
            }
            if self.joint.len() + queue.len() > CLAUSES_MAX {
                return Err(TooLarge);
            }
        }
        Ok(())
    }

    fn is_implied(&self, body: Places, head: u8) -> bool {
        bits(body).any(|place| self.follows[place] >> head & 1 == 1)
            || self.joint.iter().any(|(known, it)| *it == head && known & body == *known)
    }

    fn hold(&mut self, head: u8, queue: &mut Vec<(Places, u8)>) {
        let fresh = (1 << head) | self.follows[usize::from(head)];
        self.held |= fresh;
        for follows in &mut self.follows {
            *follows &= !fresh;
        }
        for place in bits(fresh) {
            self.follows[place] = 0;
        }
        let held = self.held;
        self.joint.retain(|(body, head)| {
            if held >> head & 1 == 1 {
                return false;
            }
            let is_shorter = body & held != 0;
            if is_shorter {
                queue.push((*body, *head));
            }
            !is_shorter
        });
    }

    fn imply(&mut self, from: usize, head: u8, queue: &mut Vec<(Places, u8)>) {
        let more = (1 << head) | self.follows[usize::from(head)];
        let mut changed = 0;
        for place in 0..self.follows.len() {
            if place == from || self.follows[place] >> from & 1 == 1 {
                self.follows[place] |= more & !(1 << place);
                changed |= 1 << place;
            }
        }
        if self.joint.is_empty() {
            return;
        }
        // What needs one of the new consequences can need its cause instead.
        for (body, joint_head) in self.joint.clone() {
            for place in bits(changed) {
                let gained = self.follows[place] & body;
                for one in bits(gained) {
                    queue.push((body & !(1 << one) | 1 << place, joint_head));
                }
                if self.follows[place] & body == body {
                    queue.push((1 << place, joint_head));
                }
            }
            if changed >> joint_head & 1 == 1 {
                let then = self.follows[usize::from(joint_head)];
                queue.extend(bits(then).map(|it| (body, small(it))));
            }
        }
        self.drop_implied();
    }

    fn join(&mut self, body: Places, head: u8, queue: &mut Vec<(Places, u8)>) {
        self.joint.push((body, head));
        self.drop_implied();
        // Causes of its parts, consequences of its head, and clauses that meet it on either side.
        for place in 0..self.follows.len() {
            for one in bits(self.follows[place] & body) {
                queue.push((body & !(1 << one) | 1 << place, head));
            }
        }
        queue.extend(bits(self.follows[usize::from(head)]).map(|it| (body, small(it))));
        for (other, other_head) in &self.joint {
            if other >> head & 1 == 1 {
                queue.push((other & !(1 << head) | body, *other_head));
            }
            if body >> other_head & 1 == 1 {
                queue.push((body & !(1 << other_head) | other, head));
            }
        }
    }

    /// Keeps the shortest joint clauses.
    fn drop_implied(&mut self) {
        let all = std::mem::take(&mut self.joint);
        for (at, (body, head)) in all.iter().enumerate() {
            let by_one = bits(*body).any(|place| self.follows[place] >> head & 1 == 1);
            let by_other = all.iter().enumerate().any(|(other, (known, it))| {
                it == head && known & body == *known && (known != body || other < at)
            });
            if !by_one && !by_other {
                self.joint.push((*body, *head));
            }
        }
    }

    /// Takes a place off the frontier; what followed through it has been written down.
    pub(super) fn forget(&mut self, place: u8) {
        let bit = 1 << place;
        self.held &= !bit;
        self.follows[usize::from(place)] = 0;
        self.follows.iter_mut().for_each(|follows| *follows &= !bit);
        self.joint.retain(|(body, head)| body & bit == 0 && *head != place);
    }

    /// Drops what does not matter once the target is in reach of a place: who holds it has won.
    pub(super) fn tidy(&mut self, target: u8) {
        let bit = 1 << target;
        let mut winning = 0;
        for (place, follows) in self.follows.iter_mut().enumerate() {
            if *follows & bit != 0 {
                *follows = bit;
                winning |= 1 << place;
            }
        }
        if winning == 0 && self.joint.is_empty() {
            return;
        }
        let wins: Vec<Places> =
            self.joint.iter().filter(|(_, head)| *head == target).map(|it| it.0).collect();
        self.joint.retain(|(body, head)| {
            *head == target || (body & winning == 0 && !wins.iter().any(|win| win & body == *win))
        });
    }
}

/// The places of a set.
pub(super) fn bits(set: Places) -> impl Iterator<Item = usize> {
    let mut left = set;
    std::iter::from_fn(move || {
        let place = left.trailing_zeros() as usize;
        (left != 0).then(|| {
            left &= left - 1;
            place
        })
    })
}

#[expect(clippy::cast_possible_truncation, reason = "places lie below 64")]
fn small(place: usize) -> u8 {
    place as u8
}
