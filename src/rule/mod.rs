//! One evaluation.
