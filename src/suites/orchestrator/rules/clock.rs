//! The time of a trace, as its records tell it.

/// From here on milliseconds are of a wall clock, counted since 1970: they are told from the trace's first record on.
const WALL_TIME_MS: u64 = 100_000_000_000;

/// Clocks that step back by more than this begin anew: traces that were written one after the other, say.
const STEP_BACK_MS: u64 = 60_000;

/// Reads records' times: from the trace's first record on where they are of a wall clock, never backwards.
#[derive(Debug, Default)]
pub(crate) struct RecordClock {
    /// What is added to a record's milliseconds; below zero for wall times.
    offset: Option<i128>,
    now: u64,
    /// Whether a recording begins here: then even a small step back is one.
    begins: bool,
}

impl RecordClock {
    /// Another recording begins: its times go on from here, wherever they begin.
    pub(crate) fn begin_anew(&mut self) {
        self.begins = true;
    }

    /// The time of the next record. One that tells none is of the time before it.
    pub(crate) fn read(&mut self, told: Option<u64>) -> u64 {
        let Some(told) = told.map(i128::from) else { return self.now };
        let offset = *self.offset.get_or_insert(if told >= i128::from(WALL_TIME_MS) { -told } else { 0 });
        let read = told + offset;
        let most = if std::mem::take(&mut self.begins) { 0 } else { i128::from(STEP_BACK_MS) };
        if read + most < i128::from(self.now) {
            self.offset = Some(i128::from(self.now) - told);
        } else {
            self.now = self.now.max(u64::try_from(read).unwrap_or_default());
        }
        self.now
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_told(&[Some(5), Some(7), None, Some(9)], &[5, 7, 7, 9])]
    #[case::from_the_first_on(&[Some(1_767_225_600_000), Some(1_767_225_600_250)], &[0, 250])]
    #[case::a_little_back_is_no_time(&[Some(100), Some(90), Some(101)], &[100, 100, 101])]
    #[case::a_minute_back_is_no_time(&[Some(70_000), Some(10_000), Some(10_500)], &[70_000, 70_000, 70_000])]
    #[case::more_than_a_minute_back_is_another_beginning(&[Some(70_000), Some(9_999), Some(10_499)], &[70_000, 70_000, 70_500])]
    #[case::far_back_is_another_beginning(&[Some(70_000), Some(0), Some(500)], &[70_000, 70_000, 70_500])]
    #[case::no_time_at_all(&[None, None], &[0, 0])]
    fn times(#[case] told: &[Option<u64>], #[case] read: &[u64]) {
        let mut clock = RecordClock::default();
        assert_eq!(told.iter().map(|told| clock.read(*told)).collect::<Vec<_>>(), read);
    }

    #[test]
    fn another_recording_goes_on_from_where_it_begins() {
        let mut clock = RecordClock::default();
        assert_eq!((clock.read(Some(0)), clock.read(Some(500))), (0, 500));
        clock.begin_anew();
        assert_eq!((clock.read(Some(0)), clock.read(Some(20))), (500, 520));
    }
}
