"""Pure: facts and parameters in, diagnosis or plan out."""
