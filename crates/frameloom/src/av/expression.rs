use std::ptr;

use ffmpeg_sys_next as ff;

use super::{AvError, c_string};

/// An owned arithmetic expression (ffmpeg-utils(1), "Expression Evaluation").
pub(crate) struct Expression {
    expression: *mut ff::AVExpr,
    /// How many values it may look at.
    count: usize,
}

impl Expression {
    /// Reads it; it may look at values of these names.
    pub(crate) fn parse(text: &str, names: &[&str]) -> Result<Expression, AvError> {
        let text = c_string(text);
        let names: Vec<_> = names.iter().map(|name| c_string(name)).collect();
        let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        pointers.push(ptr::null());
        let mut expression = ptr::null_mut();
        // SAFETY: NUL-terminated strings and a list that ends with null, which libav reads before it
        // returns; there are no functions of ours.
        AvError::check(unsafe {
            ff::av_expr_parse(
                &mut expression,
                text.as_ptr(),
                pointers.as_ptr(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
                0,
                ptr::null_mut(),
            )
        })?;
        Ok(Expression { expression, count: names.len() })
    }

    /// Its value for these, in the order of the names that it was read with; not a number where some are
    /// missing.
    pub(crate) fn value(&mut self, values: &[f64]) -> f64 {
        if values.len() < self.count {
            return f64::NAN;
        }
        // SAFETY: an expression of ours; libav reads as many values as there are names.
        unsafe { ff::av_expr_eval(self.expression, values.as_ptr(), ptr::null_mut()) }
    }
}

impl Drop for Expression {
    fn drop(&mut self) {
        // SAFETY: frees what we own.
        unsafe { ff::av_expr_free(self.expression) };
    }
}

// SAFETY: an expression is used by one owner at a time and has no tie to a thread.
unsafe impl Send for Expression {}
