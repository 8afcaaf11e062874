"""The neural networks behind one seam (`api.Networks`), and the arithmetic before and after each of them."""
